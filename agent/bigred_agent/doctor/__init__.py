"""What is wrong with this box, and how it is mended."""
