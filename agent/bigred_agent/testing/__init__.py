"""Fake hardware for tests and newcomers, strict as the real one. The product never imports it."""
