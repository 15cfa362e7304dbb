"""What the demo and the tests bring along: a small shop to deploy, and its customers."""
