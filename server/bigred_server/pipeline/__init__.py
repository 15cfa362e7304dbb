"""Build commits into releases: receive pushes, check out, build, test, and store the WAR."""
