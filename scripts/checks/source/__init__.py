"""Checks of the source code and the documents."""
