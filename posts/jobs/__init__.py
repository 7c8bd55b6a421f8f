"""The jobs of posts, from publishing to upkeep, and what people are told of them. Importing this registers all."""

from posts.jobs import bulk, events, ingest, notices, pictures, publish, repeating, subjects, upkeep

__all__ = ["bulk", "events", "ingest", "notices", "pictures", "publish", "repeating", "subjects", "upkeep"]
