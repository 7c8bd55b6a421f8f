"""The jobs of posts: publishing, rendering ahead, repeating, following the host's objects, sending events, keeping
accounts and files in order. Importing this registers all."""

from posts.jobs import bulk, events, ingest, pictures, publish, repeating, subjects, upkeep

__all__ = ["bulk", "events", "ingest", "pictures", "publish", "repeating", "subjects", "upkeep"]
