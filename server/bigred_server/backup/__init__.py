"""Backups: the journal, its releases and, if asked for, the configuration, in one tar."""
