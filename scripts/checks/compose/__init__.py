"""Checks of the Compose file."""
