"""The demo, also used by the tests: a complete site with a sample shop, and its customers."""
