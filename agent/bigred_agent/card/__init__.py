"""Configures a box from the first partition of its card, which any laptop can edit."""
