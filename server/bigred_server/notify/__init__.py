"""Notify people of what happens to an app, by mail, chat or any service apprise supports."""
