"""Tells people elsewhere, by mail, chat or whatever apprise knows, what happens to an app."""
