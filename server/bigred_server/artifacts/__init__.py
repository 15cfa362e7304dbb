"""Read WAR files, and keep releases in a store named by their SHA-256."""
