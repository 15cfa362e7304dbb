"""Builds the SD card of a box. Only the standard library; what is done is done by other programs."""
