"""What a disk says when it is full, told apart from every other reason for which a file cannot be written."""

from __future__ import annotations

import errno

# The last one: a process that may not write so large a file.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def has_no_room(error: BaseException) -> bool:
    """Say whether ``error`` means that there was no room for a file, or no more for this user."""
    return isinstance(error, OSError) and error.errno in NO_ROOM
