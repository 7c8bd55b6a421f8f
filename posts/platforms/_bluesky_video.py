"""Videos for Bluesky: sent to its video service, which makes them fit and stores them on the account's own server.

The service takes a video whole, in one call (streamed, never in memory), and answers with a job. A newer way in parts
(app.bsky.video.startUpload) is in the lexicons, but not known to be in service. Steps and tokens:
https://docs.bsky.app/docs/tutorials/video
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import PurePath

from posts.platforms._bluesky_api import (
    GET_JOB_STATUS,
    GET_UPLOAD_LIMITS,
    QUOTA_CHECK_SECONDS,
    UPLOAD_BLOB,
    UPLOAD_VIDEO,
    Refusal,
    accepted,
    call,
    error_name,
    refusal,
    service_token,
    web_did,
)
from posts.publishing.errors import ContentRejected, NotReady, Temporary
from posts.publishing.http import Response
from posts.publishing.platform import Checkpoints, Session
from posts.publishing.types import Body, Json, MediaFile

DEFAULT_SERVICE = "https://video.bsky.app"
COMPLETED, FAILED = "JOB_STATE_COMPLETED", "JOB_STATE_FAILED"  # every other state means that it works on it

# Why a job failed, where another upload would change nothing. The other failures are often passing ones.
FAILURES: Mapping[str, Refusal] = {
    "validation_failure": partial(ContentRejected, "bluesky.video_refused", field="media"),
    "pds_upload_unsupported_blob_size": partial(ContentRejected, "bluesky.video_over_server_limit", field="media"),
}


def video_blob(session: Session, media: MediaFile, checkpoints: Checkpoints) -> Json:
    """Return the stored video; raises NotReady while the service works on it.

    The job is checkpointed, so that each later call asks for it once. One that failed is forgotten: the next execution
    uploads anew.
    """
    name = f"video:{media.key}"
    kept = checkpoints.get(name)
    if kept is None:
        _require_quota(session, media)
        checkpoints.progress(0, media.size_bytes, "uploaded")
        job = _upload(session, media)
        checkpoints.progress(media.size_bytes, media.size_bytes, "uploaded")
    elif "blob" in kept:
        return dict(kept["blob"])
    else:
        try:
            job = _job(session, kept["job"])
        except Temporary as error:
            if error.code == "unexpected_answer":  # the service does not know the job
                checkpoints.forget(name)
            raise
    blob = _blob(job)
    if blob is not None:  # also beside an error: the same file was uploaded before
        checkpoints.put(name, {"blob": blob})
        return blob
    if kept is not None and job.get("state") in (FAILED, COMPLETED):
        checkpoints.forget(name)
        detail = session.http.redact(": ".join(str(job[key]) for key in ("error", "message") if job.get(key)))
        kind = FAILURES.get(str(job.get("failureCode", "")), partial(Temporary, "bluesky.video_failed"))
        raise kind(detail=detail)
    checkpoints.put(name, {"job": job["jobId"]})
    if isinstance(job.get("progress"), int):
        checkpoints.progress(job["progress"], 100, "processed")
    raise NotReady("media_processing")


def _service(session: Session) -> str:
    return session.app.api(DEFAULT_SERVICE)


def _require_quota(session: Session, media: MediaFile) -> None:
    """Ask first what the day's quota allows; an answer that cannot be used holds nothing up."""
    service = _service(session)
    token = service_token(session, web_did(service), GET_UPLOAD_LIMITS)
    response = call(session, "GET", GET_UPLOAD_LIMITS, host=service, token=token)
    if response.status != 200:
        return
    limits = response.json_or_empty()
    videos, size = limits.get("remainingDailyVideos"), limits.get("remainingDailyBytes")
    detail = session.http.redact(str(limits.get("message") or limits.get("error") or ""))
    if videos == 0 or (isinstance(size, int) and size < media.size_bytes):
        raise NotReady("bluesky.video_quota", check_after_seconds=QUOTA_CHECK_SECONDS, detail=detail)
    if limits.get("canUpload") is False:
        unconfirmed = limits.get("error") == "unconfirmed_email"
        raise ContentRejected(
            "bluesky.email_unconfirmed" if unconfirmed else "bluesky.video_forbidden", field="media", detail=detail
        )


def _upload(session: Session, media: MediaFile) -> Json:
    """Send the file and return its job. The token is for the account's server: the service stores the video there."""
    token = service_token(session, web_did(session.config["pds"]), UPLOAD_BLOB)
    response = call(
        session,
        "POST",
        UPLOAD_VIDEO,
        host=_service(session),
        token=token,
        headers={"Content-Type": media.mime_type},
        params={"did": session.config["did"], "name": f"{media.key}{PurePath(media.filename).suffix or '.mp4'}"},
        content=Body(media.open, media.size_bytes),
    )
    job = _status(response)
    if _blob(job) is not None or (isinstance(job.get("jobId"), str) and job["jobId"]):
        return job
    if response.status == 200 and not job.get("error"):
        raise response.unusable("bad_answer")
    raise refusal(session, UPLOAD_VIDEO, response, str(job.get("error") or error_name(response)))


def _job(session: Session, job_id: str) -> Json:
    """Return what has become of a job. That needs no token, but one place was seen to want one."""
    service, params = _service(session), {"jobId": job_id}
    response = call(session, "GET", GET_JOB_STATUS, host=service, params=params)
    if response.status == 401:
        token = service_token(session, web_did(service), GET_JOB_STATUS)
        response = call(session, "GET", GET_JOB_STATUS, host=service, token=token, params=params)
    accepted(session, GET_JOB_STATUS, response)
    return {"jobId": job_id} | _status(response)


def _status(response: Response) -> Json:
    """Return the job of an answer: the lexicon wraps it, the service has been seen to answer it bare."""
    answer = response.json_or_empty()
    wrapped = answer.get("jobStatus")
    return wrapped if isinstance(wrapped, dict) else answer


def _blob(job: Json) -> Json | None:
    """Return what a job says that it stored, ``None`` if it says nothing of the kind."""
    blob = job.get("blob")
    whole = isinstance(blob, dict) and blob.get("$type") == "blob" and isinstance(blob.get("ref"), dict)
    return blob if whole else None
