"""What a WAR is, and the store that keeps releases under their SHA-256."""
