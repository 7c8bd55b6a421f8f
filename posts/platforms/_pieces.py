"""What uploads in pieces have in common, whatever the network."""

from __future__ import annotations

from posts.publishing.errors import NotReady, PublishError, Temporary, Unreachable


def going_on(error: PublishError, *, progressed: bool) -> PublishError:
    """Return what to raise for a fault between two pieces.

    Where this execution has brought the upload forward, a passing fault uses up no attempt: the next execution goes on
    from what has arrived. An upload of hours meets more such faults than a job has attempts.
    """
    passing = isinstance(error, Unreachable) or (isinstance(error, Temporary) and not error.restart)
    if not (progressed and passing):
        return error
    wait = (error.retry_after_seconds if isinstance(error, Temporary) else None) or 15
    return NotReady("upload_continues", check_after_seconds=wait, detail=error.detail, status_code=error.status_code)
