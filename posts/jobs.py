"""The publish job: its handler, its look-up after silence, and the one table from platform errors to outcomes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from posts.models import Delivery
from posts.publishing import errors, registry, words
from posts.publishing import types as publishing
from posts.publishing.platform import Platform, Session
from posts.services import accounts, media
from posts.services.publication import DeliveryCheckpoints, content_hash, content_of, load_delivery
from posts.services.status import follow_job
from queue_app import clock
from queue_app.context import JobContext
from queue_app.failpoints import failpoint
from queue_app.health import health_check
from queue_app.models import BlockKind, Job
from queue_app.outcomes import (
    Absent,
    BlockRequest,
    CannotTell,
    Done,
    Fail,
    Failure,
    Finding,
    Found,
    Outcome,
    Postpone,
    Retry,
    Uncertain,
)
from queue_app.registry import job_type
from queue_app.retry import RetryPolicy

PUBLISH = "posts.publish"
PUBLISH_RETRY = RetryPolicy.exponential(max_attempts=3, base_seconds=60, cap_seconds=1800)
PUBLISH_TIMEOUT_SECONDS = 600
REASONS = {code: words.sentence(code, {}, "the platform").rstrip(".") for code in words.WORDS} | {
    "absence_proves_nothing": "it is not there now, but this platform may still show it later",
    "not_settled": "it is not there yet, and this platform may take a while to show it",
}
# A platform's word on how long to wait is believed up to this.
LONGEST_COOL_DOWN = timedelta(hours=24)


def describe(job: Job) -> str:
    """Name the delivery of a publish job to people."""
    delivery = Delivery.objects.select_related("post", "account").filter(pk=job.args.get("delivery_id")).first()
    return f"“{delivery.post}” on {delivery.account}" if delivery is not None else str(job)


def look_up(context: JobContext, job: Job) -> Finding:
    """Ask the platform what became of a delivery whose answer was lost."""
    delivery = load_delivery(job.args["delivery_id"])
    if delivery is None or delivery.snapshot is None or job.marked_at is None:
        return CannotTell("no_lookup")
    platform = registry.get(delivery.account.platform)
    try:
        session = _session(delivery, context)
        try:
            finding = platform.find(session, delivery.snapshot, job.marked_at)
        except errors.TokenExpired:
            accounts.refresh_credentials(delivery.account, seen_version=delivery.account.credentials_version)
            finding = platform.find(_session(delivery, context), delivery.snapshot, job.marked_at)
    except (errors.PublishError, accounts.RefreshBusy) as error:
        return CannotTell("lookup_failed", look_again=True, failure=_failure(error, delivery))
    match finding:
        case publishing.Found(published):
            return Found(_result(published, session.http.redact))
        case publishing.CannotTell(code):
            return CannotTell(code)
        case publishing.Absent():
            return _believe_absence(platform, session, clock.now() - job.marked_at)


def _believe_absence(platform: Platform, session: Session, since_mark: timedelta) -> Finding:
    if platform.repeats_safely(session.config):
        return Absent()
    if platform.settle_seconds is None:
        return CannotTell("absence_proves_nothing")
    if since_mark < timedelta(seconds=platform.settle_seconds):
        return CannotTell("not_settled", look_again=True)
    return Absent()


@job_type(
    PUBLISH,
    retry=PUBLISH_RETRY,
    timeout_seconds=PUBLISH_TIMEOUT_SECONDS,
    breaker="platform:*",
    on_transition=follow_job,
    reconcile=look_up,
    describe=describe,
    reasons=REASONS,
)
def publish(context: JobContext, delivery_id: int) -> Outcome:
    """Publish one delivery: prepare what can be repeated, mark, and make the one call that cannot."""
    delivery = load_delivery(delivery_id)
    if delivery is None:
        return Fail(Failure("PostDeleted", "The post was deleted; there is nothing to publish.", code="post_deleted"))
    checkpoints = DeliveryCheckpoints(delivery, context, content_hash(delivery))
    try:
        return Done(_result(_publish(context, delivery, checkpoints), context.redact))
    except accounts.RefreshBusy as busy:
        return Postpone("refresh_busy", until=busy.until)
    except errors.PublishError as error:
        answer = OUTCOMES[type(error)]  # one of no known kind is a bug: after the mark nobody knows what it means
        if isinstance(error, errors.OutcomeUnknown) or not context.marked:
            # Before the mark there is nothing to take back, and a snapshot is that of an earlier send, to be repeated.
            return answer(error, delivery, checkpoints)
        # Every other error documents that nothing went out. The snapshot goes last: a worker that dies in a refresh
        # leaves a marked job, which is looked up by it.
        context.irreversible_step_refused()
        outcome = answer(error, delivery, checkpoints)
        checkpoints.thaw()
        return outcome


def _publish(context: JobContext, delivery: Delivery, checkpoints: DeliveryCheckpoints) -> publishing.Published:
    failpoint("before_prepare")
    platform = registry.get(delivery.account.platform)
    accounts.ensure_fresh(delivery.account)
    content = content_of(delivery, platform)
    session = _session(delivery, context, content)
    snapshot = checkpoints.frozen()
    if snapshot is None:
        snapshot = platform.prepare(session, content, checkpoints)
    frozen = snapshot
    context.before_irreversible_step(save=lambda: checkpoints.freeze(frozen))
    published = platform.commit(session, frozen)
    failpoint("after_commit_call")
    return published


def _session(delivery: Delivery, context: JobContext, content: publishing.Content | None = None) -> Session:
    session = accounts.session_for(delivery.account, media=content.media if content else ())
    context.redact = session.http.redact
    return session


def _result(published: publishing.Published, redact: Callable[[str], str]) -> publishing.Json:
    """Return what a job keeps of a success, without a secret that the platform may have quoted."""
    kept = {"id": published.id, "url": published.url, "response": published.response}
    result: publishing.Json = json.loads(redact(json.dumps(kept)))
    return result


def _failure(error: Exception, delivery: Delivery) -> Failure:
    if not isinstance(error, errors.PublishError):
        return Failure(type(error).__name__, str(error))
    message = accounts.public_error(error, delivery.account)
    return Failure(type(error).__name__, message, error.code, response_code=error.status_code)


def _unreachable(error: errors.PublishError, delivery: Delivery, _checkpoints: DeliveryCheckpoints) -> Outcome:
    return Retry(_failure(error, delivery))


def _temporary(error: errors.Temporary, delivery: Delivery, checkpoints: DeliveryCheckpoints) -> Outcome:
    if error.restart:
        checkpoints.drop()
    if error.new_config:
        accounts.move_account(delivery.account, error.new_config, error.new_identity_id)
    return Retry(_failure(error, delivery), delay_seconds=error.retry_after_seconds)


def _rate_limited(error: errors.RateLimited, delivery: Delivery, _checkpoints: DeliveryCheckpoints) -> Outcome:
    now = clock.now()
    until: datetime = min(max(error.until, now + timedelta(seconds=1)), now + LONGEST_COOL_DOWN)
    account = delivery.account
    key = account.block_key if error.scope == "account" else f"platform:{account.platform}"
    failure = _failure(error, delivery)
    return Postpone(
        "rate_limited",
        until=until,
        block=BlockRequest(key, BlockKind.RATE_LIMIT, failure.message, until),
        failure=failure,
    )


def _token_expired(error: errors.PublishError, delivery: Delivery, checkpoints: DeliveryCheckpoints) -> Outcome:
    account = delivery.account
    platform = registry.get(account.platform)
    if not platform.refreshes or delivery.refreshed_version == account.credentials_version:
        return _reconnect(error, delivery, checkpoints)
    try:
        refreshed = accounts.refresh_credentials(account, seen_version=account.credentials_version)
    except accounts.RefreshBusy as busy:
        return Postpone("refresh_busy", until=busy.until)
    except errors.PublishError as refusal:
        return OUTCOMES[type(refusal)](refusal, delivery, checkpoints)
    Delivery.objects.filter(pk=delivery.pk).update(refreshed_version=refreshed.credentials_version)
    return Postpone("token_refreshed", until=clock.now(), failure=_failure(error, delivery))


def _reconnect(error: errors.PublishError, delivery: Delivery, _checkpoints: DeliveryCheckpoints) -> Outcome:
    # The account's key is blocked from here on, so the next claim parks the job; if somebody has reconnected it
    # meanwhile, the next claim runs it.
    asked = accounts.ask_reconnect(delivery.account, error.code)
    reason = "reconnect_needed" if asked else "token_refreshed"
    return Postpone(reason, until=clock.now(), failure=_failure(error, delivery))


def _rejected(error: errors.ContentRejected, delivery: Delivery, _checkpoints: DeliveryCheckpoints) -> Outcome:
    Delivery.objects.filter(pk=delivery.pk).update(error_field=error.field)
    return Fail(_failure(error, delivery))


def _unknown(error: errors.PublishError, delivery: Delivery, _checkpoints: DeliveryCheckpoints) -> Outcome:
    return Uncertain(_failure(error, delivery))


# The one table from what a platform answers to what becomes of the job. Anything else is a bug, sorted by the runner.
OUTCOMES: Mapping[type[errors.PublishError], Callable[..., Outcome]] = {
    errors.Unreachable: _unreachable,
    errors.Temporary: _temporary,
    errors.RateLimited: _rate_limited,
    errors.TokenExpired: _token_expired,
    errors.ReconnectNeeded: _reconnect,
    errors.ContentRejected: _rejected,
    errors.OutcomeUnknown: _unknown,
}


@job_type(
    "posts.media_retention",
    retry=RetryPolicy.fixed(max_attempts=3, delay_seconds=600),
    timeout_seconds=600,
    every_seconds=3600,
    internal=True,
)
def media_retention(context: JobContext) -> int:
    """Delete the files that no post needs any more; return how many."""
    return media.delete_unneeded(clock.now())


health_check(media.folder_problems)
