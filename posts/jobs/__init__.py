"""The jobs of posts: publishing, rendering ahead, keeping accounts and files in order. Importing this registers all."""

from posts.jobs import bulk, pictures, publish, repeating, upkeep

__all__ = ["bulk", "pictures", "publish", "repeating", "upkeep"]
