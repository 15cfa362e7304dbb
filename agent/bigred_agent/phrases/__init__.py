"""What the box says: packs of phrases, and how their placeholders are filled in."""
