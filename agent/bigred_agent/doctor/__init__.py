"""Finds problems with this box, and how to fix them."""
