"""Buttons: levels read from the hardware, and events derived from them."""
