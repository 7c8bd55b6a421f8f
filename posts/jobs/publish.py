"""The publish job: its handler, and its look-up after silence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from posts.jobs.outcomes import OUTCOMES, failure_of
from posts.models import Delivery
from posts.publishing import errors, registry, words
from posts.publishing import types as publishing
from posts.publishing.platform import Platform, Session
from posts.services import accounts, standing
from posts.services.concerns import concern_of_job
from posts.services.publication import (
    DeliveryCheckpoints,
    content_hash,
    contents_of,
    last_went_out,
    live_parts,
    live_values,
    load_delivery,
    parts_of,
)
from posts.services.status import follow_job
from posts.services.windows import require_room
from posts.text.storable import with_strings
from queue_app import clock
from queue_app.context import JobContext
from queue_app.failpoints import failpoint
from queue_app.models import AttemptOutcome, Job
from queue_app.outcomes import (
    Absent,
    CannotTell,
    Done,
    Fail,
    Failure,
    Finding,
    Found,
    Outcome,
    Postpone,
)
from queue_app.registry import job_type
from queue_app.retry import RetryPolicy
from queue_app.states import JobState

PUBLISH = "posts.publish"
PUBLISH_RETRY = RetryPolicy.exponential(max_attempts=3, base_seconds=60, cap_seconds=1800)
PUBLISH_TIMEOUT_SECONDS = 1800
registry.platforms()  # which teaches the words of their codes
REASONS = {code: words.sentence(code, {}, "the platform").rstrip(".") for code in words.WORDS} | {
    "absence_proves_nothing": "it is not there now, but this platform may still show it later",
    "not_settled": "it is not there yet, and this platform may take a while to show it",
}
# How long a platform may work on what it has taken before a person is asked.
LONGEST_SETTLING = timedelta(hours=20)
# What it has taken has not failed by being waited for, however long its files were processed before.
NO_DEADLINE_SECONDS = timedelta(days=365).total_seconds()


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
    live, parts = live_parts(delivery), parts_of(delivery.snapshot)
    if live and not live[-1].settled:
        live = live[:-1]  # taken, then silence: it is the part that is looked for
    part = parts[min(len(live), len(parts) - 1)]
    try:
        session = replace(_session(delivery, context), thread=tuple(live))
        try:
            finding = platform.find(session, part, job.marked_at)
        except errors.TokenExpired:
            accounts.refresh_credentials(delivery.account, seen_version=delivery.account.credentials_version)
            session = replace(_session(delivery, context), thread=tuple(live))
            finding = platform.find(session, part, job.marked_at)
    except (errors.PublishError, accounts.RefreshBusy) as error:
        return CannotTell("lookup_failed", look_again=True, failure=failure_of(error, delivery))
    match finding:
        case publishing.Found(published):
            return _found(delivery, job, [*live, published], len(parts), session.http.redact)
        case publishing.CannotTell(code, look_again):
            return CannotTell(code, look_again=look_again)
        case publishing.Absent():
            return _believe_absence(platform, session, job, clock.now() - job.marked_at)


def _found(
    delivery: Delivery, job: Job, live: list[publishing.Published], parts: int, redact: Callable[[str], str]
) -> Finding:
    """Answer that the part is live. Where more is to do, it is recorded and the rest of the job goes on."""
    if len(live) >= parts and live[-1].settled:
        return Found(_result(live, redact))
    mine = Delivery.objects.filter(pk=delivery.pk, job__state=JobState.UNCERTAIN, job__fence=job.fence)
    mine.update(**live_values(delivery, live, redact))
    return Absent()


def _believe_absence(platform: Platform, session: Session, job: Job, since_mark: timedelta) -> Finding:
    if platform.repeats_safely(session.config):
        return Absent()
    if platform.settle_seconds is None:
        return CannotTell("absence_proves_nothing")
    if since_mark < timedelta(seconds=platform.settle_seconds):
        return CannotTell("not_settled", look_again=True)
    lost = job.attempt_set.filter(outcome=AttemptOutcome.UNCERTAIN).order_by("-fence").first()
    if lost is not None and lost.code in platform.never_repeated:
        return CannotTell("absence_proves_nothing")
    return Absent()


@job_type(
    PUBLISH,
    retry=PUBLISH_RETRY,
    timeout_seconds=PUBLISH_TIMEOUT_SECONDS,
    breaker="platform:*",
    on_transition=follow_job,
    reconcile=look_up,
    describe=describe,
    concerns=concern_of_job,
    reasons=REASONS,
)
def publish(context: JobContext, delivery_id: int) -> Outcome:
    """Publish one delivery: prepare what can be repeated, mark, and make the one call that cannot."""
    delivery = load_delivery(delivery_id)
    if delivery is None:
        return Fail(Failure("PostDeleted", "The post was deleted; there is nothing to publish.", code="post_deleted"))
    checkpoints = DeliveryCheckpoints(delivery, context, content_hash(delivery))
    try:
        return Done(_publish(context, delivery, checkpoints))
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


def _publish(context: JobContext, delivery: Delivery, checkpoints: DeliveryCheckpoints) -> publishing.Json:
    """Publish part after part; each is marked before its call and recorded after it. Return the job's result."""
    failpoint("before_prepare")
    platform = registry.get(delivery.account.platform)
    accounts.ensure_fresh(delivery.account)
    contents = contents_of(delivery, platform)
    session = _session(delivery, context, contents[0])
    live = live_parts(delivery)
    frozen = checkpoints.frozen()
    sent_before = frozen is not None
    if frozen is None:
        prepared = [
            {} if part < len(live) else platform.prepare(session, content, checkpoints.of_part(part))
            for part, content in enumerate(contents)
        ]
        frozen = {"parts": prepared}
    parts = parts_of(frozen)
    if live and not live[-1].settled:
        step = replace(session, thread=tuple(live[:-1]))
        live[-1] = _settled(context, delivery, platform, step, parts[len(live) - 1], live, checkpoints)
        checkpoints.record(live, context.redact)
    while len(live) < len(parts):
        part, step = len(live), replace(session, thread=tuple(live), sent_before=sent_before)
        if live:
            followed = platform.follow(step, parts[part], checkpoints.of_part(part))
            step = replace(step, sent_before=sent_before and followed == parts[part])
            parts[part] = followed
        context.before_irreversible_step(save=lambda: _freeze(delivery, checkpoints, parts, contents))
        live.append(platform.commit(step, parts[part]))
        failpoint("after_commit_call")
        sent_before = False
        if len(live) < len(parts) or not live[-1].settled:
            context.irreversible_step_done(lambda: checkpoints.record(live, context.redact))
            failpoint("after_part")
        if not live[-1].settled:
            raise errors.NotReady("platform_processing", deadline_seconds=NO_DEADLINE_SECONDS)
    standing.platform_works(delivery.account)
    return _result(live, context.redact)


def _settled(
    context: JobContext,
    delivery: Delivery,
    platform: Platform,
    session: Session,
    part: publishing.Json,
    live: list[publishing.Published],
    checkpoints: DeliveryCheckpoints,
) -> publishing.Published:
    """Ask what became of the last part, which the platform has taken but was still working on."""
    try:
        return platform.settle(session, part, live[-1])
    except (errors.ContentRejected, errors.Temporary) as error:
        if isinstance(error, errors.ContentRejected) or error.restart:
            # It is not live after all; what was uploaded for it is used up.
            checkpoints.record(live[:-1], context.redact)
            checkpoints.drop()
        raise
    except errors.NotReady as error:
        taken_at = last_went_out(delivery)
        if taken_at is None or clock.now() - taken_at < LONGEST_SETTLING:
            error.deadline_seconds = NO_DEADLINE_SECONDS
            raise
    # Taken, but never heard of again: a person decides. Only a marked job can be uncertain.
    context.before_irreversible_step()
    raise errors.OutcomeUnknown("platform_silent")


def _freeze(
    delivery: Delivery,
    checkpoints: DeliveryCheckpoints,
    parts: list[publishing.Json],
    contents: list[publishing.Content],
) -> None:
    """Part of the mark's transaction: there must be room for one more post, and what goes out is kept."""
    require_room(delivery)
    checkpoints.freeze({"parts": parts}, contents)


def _session(delivery: Delivery, context: JobContext, content: publishing.Content | None = None) -> Session:
    def exhausted(until: datetime, scope: errors.Scope) -> None:
        standing.slow_down(delivery.account, until, scope)

    session = accounts.session_for(delivery.account, media=content.media if content else ())
    context.redact = session.http.redact
    return replace(session, exhausted=exhausted)


def _result(live: list[publishing.Published], redact: Callable[[str], str]) -> publishing.Json:
    """Return what a job keeps of a success, without a secret that the platform may have quoted."""
    first = live[0]
    kept: publishing.Json = {"id": first.id, "url": first.url, "response": first.response}
    if len(live) > 1:
        kept["parts"] = [{"id": part.id, "url": part.url} for part in live]
    result: publishing.Json = with_strings(kept, redact)
    return result
