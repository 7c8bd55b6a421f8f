"""The jobs of posts: publishing, and what keeps accounts and files in order. Importing this registers them all."""

from posts.jobs import publish, upkeep

__all__ = ["publish", "upkeep"]
