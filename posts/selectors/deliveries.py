"""A delivery in words: why it is not out yet, what happens next, and what has happened so far. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from posts.models import Account, Delivery, DeliveryStatus
from posts.publishing import words
from posts.selectors.waiting import until_words
from queue_app.explain import explain
from queue_app.explain import words as reason_words
from queue_app.models import AttemptOutcome, Event, EventName, Job
from queue_app.states import JobState

MEGABYTE = 1_000_000
WAITING = (DeliveryStatus.SCHEDULED, DeliveryStatus.HELD)

NEXT_STEPS = {
    DeliveryStatus.DRAFT: "Schedule the post or publish it now.",
    DeliveryStatus.SCHEDULED: "Nothing to do: it goes out by itself. You may still edit, reschedule or cancel it.",
    DeliveryStatus.HELD: "Release it by a retry if it should go out now, or cancel it.",
    DeliveryStatus.PUBLISHING: "Nothing to do: wait for its outcome.",
    DeliveryStatus.PUBLISHED: "",
    DeliveryStatus.CANCELLED: "Schedule the post again, or retry this account, if it should go out after all.",
    DeliveryStatus.EXPIRED: "Retry it if it should go out late, or leave it.",
}
EVENT_WORDS = {
    "marked": "Sending began",
    "parked": "Set aside: something blocks it",
    "unparked": "Let go: the block is over",
    "rescheduled": "Moved to another time",
    "needs_review": "Needs review: nobody can tell whether it is live",
    "proven_absent": "Looked up: what is not there is sent again",
    "step_done": "A part is live",
    "found": "Looked up and found live",
}
STATE_WORDS = {
    JobState.PENDING: "Waits",
    JobState.RUNNING: "Execution started",
    JobState.HELD: "Held",
    JobState.UNCERTAIN: "No clear answer: it may be live",
    JobState.COMPLETED: "Published",
    JobState.FAILED: "Failed",
    JobState.CANCELLED: "Cancelled",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of a delivery's timeline: when, what, who did it ("" for the site), and the details."""

    at: datetime
    text: str
    actor: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong: a plain ``reason`` ("" where the message says it), what the platform said, code and answer."""

    reason: str
    message: str
    code: str
    response_code: int | None


def explanation(delivery: Delivery, zone: str = "UTC") -> str:
    """Say in words where the delivery stands: why it is not out yet and until when, or what became of it.

    When a limit is free again is said on the clocks of ``zone``.
    """
    return " ".join(filter(None, [_standing(delivery, zone), _so_far(delivery)]))


def trouble(delivery: Delivery) -> Trouble | None:
    """Return what keeps or kept the delivery from being live, ``None`` where nothing went wrong."""
    if not delivery.error_message or delivery.status == DeliveryStatus.PUBLISHED:
        return None
    label = delivery.account.platform_label
    known = words.WORDS.get(delivery.error_code)
    plain = known is not None and "{" not in known.sentence.replace("{platform}", "")
    reason = words.sentence(delivery.error_code, {}, label) if plain else ""
    last = delivery.job.attempt_set.order_by("-id").first() if delivery.job is not None else None
    code = last.response_code if last is not None else None
    said = delivery.error_message
    if reason and said.startswith(f"{reason} (") and said.endswith(")"):
        said = said[len(reason) + 2 : -1]  # the platform's own words stand behind the sentence
    return Trouble("" if said == reason else reason, said, delivery.error_code, code)


def progress(delivery: Delivery) -> tuple[int, str] | None:
    """Return how far long work on the delivery is, in percent and in words; ``None`` where none is under way."""
    done, total = delivery.progress.get("done", 0), delivery.progress.get("total", 0)
    if not total or done >= total or delivery.status not in (*WAITING, DeliveryStatus.PUBLISHING):
        return None
    what = delivery.progress.get("what", "")
    megabytes = f"{done / 1e6:,.1f} of {total / 1e6:,.1f} MB" if total > MEGABYTE else f"{done:,} of {total:,}"
    return min(99, 100 * done // total), f"{megabytes} {what}".strip()


def _so_far(delivery: Delivery) -> str:
    """Say what of a thread is live already, and how far an upload is."""
    said = []
    parts = len((delivery.snapshot or {}).get("parts", [])) or 1
    if delivery.live and delivery.status != DeliveryStatus.PUBLISHED and parts > 1:
        said.append(f"{len(delivery.live)} of {parts} parts are live.")
    under_way = progress(delivery)
    if under_way is not None:
        said.append(f"So far: {under_way[1]}.")
    return " ".join(said)


def _standing(delivery: Delivery, zone: str) -> str:
    match delivery.status:
        case DeliveryStatus.DRAFT:
            return "Not scheduled yet."
        case DeliveryStatus.PUBLISHED:
            at = f" at {delivery.published_at:%Y-%m-%d %H:%M:%S} UTC" if delivery.published_at else ""
            return f"Published{at}."
        case DeliveryStatus.FAILED if delivery.error_message:
            return f"Failed: {delivery.error_message}"
        case DeliveryStatus.EXPIRED:
            return f"Dropped: it was not out {_expiry_words(delivery.job)}."
    blocked = _account_words(delivery.account) if delivery.status in WAITING else ""
    if blocked or delivery.job is None:
        return blocked or f"{delivery.get_status_display()}."
    return _job_words(delivery.job, delivery.account, zone) or f"{delivery.get_status_display()}."


def next_step(delivery: Delivery) -> str:
    """Say what a person should do next, or that there is nothing to do; "" where all is over."""
    if delivery.status == DeliveryStatus.FAILED:
        return (
            words.next_step(delivery.error_code)
            if delivery.error_code in words.WORDS
            else "Look at the error, then retry."
        )
    if delivery.status == DeliveryStatus.NEEDS_REVIEW:
        if delivery.job is not None and delivery.job.needs_review_at is None:
            return "Nothing to do yet: it is being looked up."
        return words.DECIDE
    if delivery.status in WAITING and not delivery.account.enabled:
        return "Enable the account, or cancel this delivery."
    if delivery.status in WAITING and delivery.account.reconnect_reason:
        return words.RECONNECT
    return NEXT_STEPS[DeliveryStatus(delivery.status)]


def timeline(delivery: Delivery) -> list[Moment]:
    """Return what happened to the delivery, oldest first: its job's events and attempts that went wrong.

    What a purged job knew is gone; the first and the last moment remain.
    """
    moments = [Moment(delivery.created_at, "Account chosen")]
    job = delivery.job
    if job is None:
        if delivery.published_at is not None:
            moments.append(Moment(delivery.published_at, "Published", detail=delivery.url))
        return moments
    moments += [_of_event(event) for event in job.events.select_related("job").order_by("id")]
    gone_wrong = job.attempt_set.exclude(outcome__in=[AttemptOutcome.RUNNING, AttemptOutcome.COMPLETED])
    moments += [
        Moment(
            attempt.finished_at, f"Attempt {attempt.number}: {attempt.get_outcome_display()}", detail=attempt.message
        )
        for attempt in gone_wrong.exclude(finished_at=None).order_by("id")
        if attempt.finished_at is not None
    ]
    return sorted(moments, key=lambda moment: moment.at)


def _of_event(event: Event) -> Moment:
    if event.name == EventName.ADDED:
        return Moment(event.at, "Scheduled", event.actor)
    text = EVENT_WORDS.get(event.reason) or STATE_WORDS[JobState(event.target)]
    detail = "" if event.reason in EVENT_WORDS else reason_words(event.job, event.reason)
    if event.reason == "rescheduled":
        detail = f"to {event.data.get('run_at', '')}"
    # A worker's name stands with its attempt; here people are named.
    return Moment(event.at, text, "" if event.target == JobState.RUNNING else event.actor, detail)


def _account_words(account: Account) -> str:
    name = f"{account.name} on {account.platform_label}"
    if not account.enabled:
        return f"Waits: {name} is disabled."
    if account.reconnect_reason:
        reason = words.sentence(account.reconnect_reason, {}, account.platform_label)
        return f"Waits until {name} is reconnected: {reason}"
    return ""


def _job_words(job: Job, account: Account, zone: str) -> str:
    """Return the queue's explanation as a sentence, keys by the names that people know."""
    limited = until_words(job, account, zone) if job.state == JobState.PENDING and job.parked_by else ""
    if limited:
        return f"{limited}."
    text = explain(job).text.replace(f"({account.block_key})", f"({account.name})")
    text = text.replace(f"(platform:{account.platform})", f"({account.platform_label})").rstrip(".")
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _expiry_words(job: Job | None) -> str:
    return f"by {job.expires_at:%Y-%m-%d %H:%M} UTC" if job is not None and job.expires_at is not None else "in time"
