"""The neighbour Tomcat: one node of an app."""
