"""Builds the SD card of a box, with the standard library and the programs of a tool root."""
