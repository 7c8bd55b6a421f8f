"""Reads of posts for the admin, the commands and the API. Nothing here writes."""
