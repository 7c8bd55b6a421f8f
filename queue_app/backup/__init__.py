"""Backups of the site: its database and the files that the database names, in one file, and the way back.

Whoever calls this imports from ``making`` and ``restoring``; ``parts`` is where an app adds what it knows.
"""
