"""A delivery in words: why it is not out yet, what happens next, and what has happened so far. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

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
    DeliveryStatus.DRAFT: _("Schedule the post or publish it now."),
    DeliveryStatus.SCHEDULED: _("Nothing to do: it goes out by itself. You may still edit, reschedule or cancel it."),
    DeliveryStatus.HELD: _("Release it by a retry if it should go out now, or cancel it."),
    DeliveryStatus.PUBLISHING: _("Nothing to do: wait for its outcome."),
    DeliveryStatus.PUBLISHED: "",
    DeliveryStatus.CANCELLED: _("Schedule the post again, or retry this account, if it should go out after all."),
    DeliveryStatus.EXPIRED: _("Retry it if it should go out late, or leave it."),
}
EVENT_WORDS = {
    "marked": _("Sending began"),
    "parked": _("Set aside: something blocks it"),
    "unparked": _("Let go: the block is over"),
    "rescheduled": _("Moved to another time"),
    "needs_review": _("Needs review: nobody can tell whether it is live"),
    "proven_absent": _("Looked up: what is not there is sent again"),
    "step_done": _("A part is live"),
    "found": _("Looked up and found live"),
}
STATE_WORDS = {
    JobState.PENDING: "Waits",
    JobState.RUNNING: _("Execution started"),
    JobState.HELD: "Held",
    JobState.UNCERTAIN: _("No clear answer: it may be live"),
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
    megabytes = (
        gettext("%(done)s of %(total)s MB") % {"done": f"{done / 1000000.0:,.1f}", "total": f"{total / 1000000.0:,.1f}"}
        if total > MEGABYTE
        else gettext("%(done)s of %(total)s") % {"done": f"{done:,}", "total": f"{total:,}"}
    )
    return min(99, 100 * done // total), f"{megabytes} {what}".strip()


def _so_far(delivery: Delivery) -> str:
    """Say what of a thread is live already, and how far an upload is."""
    said = []
    parts = len((delivery.snapshot or {}).get("parts", [])) or 1
    if delivery.live and delivery.status != DeliveryStatus.PUBLISHED and parts > 1:
        said.append(gettext("%(number)s of %(parts)s parts are live.") % {"number": len(delivery.live), "parts": parts})
    under_way = progress(delivery)
    if under_way is not None:
        said.append(gettext("So far: %(under_way)s.") % {"under_way": under_way[1]})
    return " ".join(said)


def _standing(delivery: Delivery, zone: str) -> str:
    match delivery.status:
        case DeliveryStatus.DRAFT:
            return gettext("Not scheduled yet.")
        case DeliveryStatus.PUBLISHED:
            at = (
                gettext(" at %(published_at)s UTC") % {"published_at": f"{delivery.published_at:%Y-%m-%d %H:%M:%S}"}
                if delivery.published_at
                else ""
            )
            return f"Published{at}."
        case DeliveryStatus.FAILED if delivery.error_message:
            return gettext("Failed: %(error_message)s") % {"error_message": delivery.error_message}
        case DeliveryStatus.EXPIRED:
            return gettext("Dropped: it was not out %(expiry_words)s.") % {"expiry_words": _expiry_words(delivery.job)}
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
            else gettext("Look at the error, then retry.")
        )
    if delivery.status == DeliveryStatus.NEEDS_REVIEW:
        if delivery.job is not None and delivery.job.needs_review_at is None:
            return gettext("Nothing to do yet: it is being looked up.")
        return words.DECIDE
    if delivery.status in WAITING and not delivery.account.enabled:
        return gettext("Enable the account, or cancel this delivery.")
    if delivery.status in WAITING and delivery.account.reconnect_reason:
        return words.RECONNECT
    return str(NEXT_STEPS[DeliveryStatus(delivery.status)])


def timeline(delivery: Delivery) -> list[Moment]:
    """Return what happened to the delivery, oldest first: its job's events and attempts that went wrong.

    What a purged job knew is gone; the first and the last moment remain.
    """
    moments = [Moment(delivery.created_at, gettext("Account chosen"))]
    job = delivery.job
    if job is None:
        if delivery.published_at is not None:
            moments.append(Moment(delivery.published_at, "Published", detail=delivery.url))
        return moments
    moments += [_of_event(event) for event in job.events.select_related("job").order_by("id")]
    gone_wrong = job.attempt_set.exclude(outcome__in=[AttemptOutcome.RUNNING, AttemptOutcome.COMPLETED])
    moments += [
        Moment(
            attempt.finished_at,
            gettext("Attempt %(number)s: %(outcome)s")
            % {"number": attempt.number, "outcome": attempt.get_outcome_display()},
            detail=attempt.message,
        )
        for attempt in gone_wrong.exclude(finished_at=None).order_by("id")
        if attempt.finished_at is not None
    ]
    return sorted(moments, key=lambda moment: moment.at)


def _of_event(event: Event) -> Moment:
    if event.name == EventName.ADDED:
        return Moment(event.at, "Scheduled", event.actor)
    text = str(EVENT_WORDS.get(event.reason) or STATE_WORDS[JobState(event.target)])
    detail = "" if event.reason in EVENT_WORDS else reason_words(event.job, event.reason)
    if event.reason == "rescheduled":
        detail = gettext("to %(data)s") % {"data": event.data.get("run_at", "")}
    # A worker's name stands with its attempt; here people are named.
    return Moment(event.at, text, "" if event.target == JobState.RUNNING else event.actor, detail)


def _account_words(account: Account) -> str:
    name = gettext("%(account)s on %(platform_label)s") % {
        "account": account.name,
        "platform_label": account.platform_label,
    }
    if not account.enabled:
        return gettext("Waits: %(name)s is disabled.") % {"name": name}
    if account.reconnect_reason:
        reason = words.sentence(account.reconnect_reason, {}, account.platform_label)
        return gettext("Waits until %(name)s is reconnected: %(reason)s") % {"name": name, "reason": reason}
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
    return (
        gettext("by %(expires_at)s UTC") % {"expires_at": f"{job.expires_at:%Y-%m-%d %H:%M}"}
        if job is not None and job.expires_at is not None
        else gettext("in time")
    )
