"""The jobs of posts: publishing, rendering ahead, repeating, following the host's objects, keeping accounts and files
in order. Importing this registers all."""

from posts.jobs import bulk, ingest, pictures, publish, repeating, subjects, upkeep

__all__ = ["bulk", "ingest", "pictures", "publish", "repeating", "subjects", "upkeep"]
