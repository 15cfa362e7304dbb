"""Builds the SD card of a box, with the standard library and programs of a root of tools."""
