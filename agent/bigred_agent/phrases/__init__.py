"""What the box says: packs of phrases, and how they are filled in."""
