"""A WAR becomes a ready release: taken in, checked, and kept under its digest."""
