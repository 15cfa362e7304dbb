"""The card's first partition, which any laptop can read: what stands there makes the box."""
