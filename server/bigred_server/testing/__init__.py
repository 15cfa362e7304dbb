"""Fakes that speak the real wire protocols, and a simulated fleet, for tests and the demo."""
