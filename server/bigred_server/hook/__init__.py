"""What stands in a repository: it hands in each push to the server, and never holds one up."""
