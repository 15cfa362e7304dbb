"""The judge: looks in, verdict out. Pure; imports no other package of the server."""
