"""The one table from what a platform answers to what becomes of the publish job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from posts.models import Delivery
from posts.publishing import errors, registry
from posts.services import accounts, standing
from posts.services.publication import DeliveryCheckpoints
from queue_app import clock
from queue_app.models import BlockKind
from queue_app.outcomes import BlockRequest, Fail, Failure, Outcome, Postpone, Retry, Uncertain

# A post that waits for its own turn, while others go out, is dropped by its expiry; one that is partly live by this.
LONGEST_WAIT = timedelta(days=7)


def failure_of(error: Exception, delivery: Delivery) -> Failure:
    """Return what the error log keeps of ``error``, in words."""
    if not isinstance(error, errors.PublishError):
        return Failure(type(error).__name__, str(error))
    message = standing.public_error(error, delivery.account)
    return Failure(type(error).__name__, message, error.code, response_code=error.status_code)


def _unreachable(error: errors.PublishError, delivery: Delivery, _checkpoints: DeliveryCheckpoints) -> Outcome:
    return Retry(failure_of(error, delivery))


def _temporary(error: errors.Temporary, delivery: Delivery, checkpoints: DeliveryCheckpoints) -> Outcome:
    if error.restart:
        checkpoints.drop()
    if error.new_config:
        standing.move_account(delivery.account, error.new_config, error.new_identity_id)
    return Retry(failure_of(error, delivery), delay_seconds=error.retry_after_seconds)


def _not_ready(error: errors.NotReady, delivery: Delivery, _checkpoints: DeliveryCheckpoints) -> Outcome:
    until = clock.now() + timedelta(seconds=error.check_after_seconds)
    failure = failure_of(error, delivery)
    return Postpone(error.code, until=until, failure=failure, deadline_seconds=error.deadline_seconds)


def _rate_limited(error: errors.RateLimited, delivery: Delivery, _checkpoints: DeliveryCheckpoints) -> Outcome:
    now = clock.now()
    until: datetime = min(max(error.until, now + timedelta(seconds=1)), now + standing.LONGEST_COOL_DOWN)
    account, failure = delivery.account, failure_of(error, delivery)
    if error.tell:
        standing.tell_operator(error, account)
    if error.scope == "post":
        return Postpone("rate_limited", until=until, failure=failure, deadline_seconds=LONGEST_WAIT.total_seconds())
    key = standing.cool_down_key(account, error.scope)
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
    return Postpone("token_refreshed", until=clock.now(), failure=failure_of(error, delivery))


def _reconnect(error: errors.PublishError, delivery: Delivery, _checkpoints: DeliveryCheckpoints) -> Outcome:
    # The account's key is blocked from here on, so the next claim parks the job; if somebody has reconnected it
    # meanwhile, the next claim runs it.
    asked = standing.ask_reconnect(delivery.account, error.code)
    reason = "reconnect_needed" if asked else "token_refreshed"
    return Postpone(reason, until=clock.now(), failure=failure_of(error, delivery))


def _rejected(error: errors.ContentRejected, delivery: Delivery, _checkpoints: DeliveryCheckpoints) -> Outcome:
    Delivery.objects.filter(pk=delivery.pk).update(error_field=error.field)
    return Fail(failure_of(error, delivery))


def _unknown(error: errors.PublishError, delivery: Delivery, _checkpoints: DeliveryCheckpoints) -> Outcome:
    return Uncertain(failure_of(error, delivery))


# The one table from what a platform answers to what becomes of the job. Anything else is a bug, sorted by the runner.
OUTCOMES: Mapping[type[errors.PublishError], Callable[..., Outcome]] = {
    errors.Unreachable: _unreachable,
    errors.Temporary: _temporary,
    errors.NotReady: _not_ready,
    errors.RateLimited: _rate_limited,
    errors.TokenExpired: _token_expired,
    errors.ReconnectNeeded: _reconnect,
    errors.ContentRejected: _rejected,
    errors.OutcomeUnknown: _unknown,
}
