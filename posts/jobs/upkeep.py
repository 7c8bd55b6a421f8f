"""Housekeeping of posts: logins are renewed ahead of their end, files go when nothing needs them."""

from __future__ import annotations

from datetime import timedelta

from posts.metrics import PLATFORM_KEY, metrics_of_posts
from posts.models import Account
from posts.publishing import errors
from posts.selectors.accounts import ends_at, ends_by
from posts.services import accounts, events, logins, media, restored, sessions, standing
from posts.services.checkup import examine_publishing
from queue_app import api, clock, totals
from queue_app.backup.parts import Part, backup_part
from queue_app.context import JobContext
from queue_app.doctor import doctor_check
from queue_app.health import health_check
from queue_app.metrics import metric_source
from queue_app.outcomes import Done, Failure, Outcome, Postpone, Retry
from queue_app.purge import housekeeping
from queue_app.registry import job_type
from queue_app.retry import RetryPolicy

RENEW_LOGIN = "posts.renew_login"
LOGIN_ENDS_AHEAD = timedelta(days=7)


@job_type(
    "posts.renew_logins",
    retry=RetryPolicy.fixed(max_attempts=3, delay_seconds=60),
    timeout_seconds=120,
    every_seconds=300,
    internal=True,
)
def renew_logins(context: JobContext) -> int:
    """Queue a renewal for each login that is due for one; tell of those that cannot be renewed, and have those that
    are over reconnected. Return how many renewals.

    Logins that somebody began in the browser and nobody finished are forgotten.
    """
    logins.forget_old_logins()
    sessions.plan_renewals()
    now = clock.now()
    connected = Account.objects.filter(enabled=True, reconnect_reason="")
    due = connected.filter(refresh_at__lte=now)
    for account in due:
        key = f"renew:{account.pk}"
        api.enqueue(RENEW_LOGIN, {"account_id": account.pk}, unique_key=key, on_duplicate="return")
    for account in connected.filter(ends_by(now + LOGIN_ENDS_AHEAD)):
        end = ends_at(account)
        if end is not None and end <= now:
            standing.ask_reconnect(account, "login_over")
        else:
            standing.tell_login_ends(account, end)
    return len(due)


@job_type(
    RENEW_LOGIN,
    retry=RetryPolicy.exponential(max_attempts=8, base_seconds=60, cap_seconds=1800),
    timeout_seconds=180,
    internal=True,
)
def renew_login(context: JobContext, account_id: int) -> Outcome:
    """Renew one account's login ahead of its end; one process asks at a time, whoever needs the login too."""
    account = Account.objects.filter(pk=account_id).first()
    if account is None or account.refresh_at is None or account.refresh_at > clock.now():
        return Done("nothing to renew")
    try:
        accounts.refresh_credentials(account, seen_version=account.credentials_version)
    except accounts.RefreshBusy as busy:
        return Postpone("refresh_busy", until=busy.until)
    except errors.RateLimited as error:
        if error.tell:
            standing.tell_operator(error, account)
        return Postpone("rate_limited", until=min(error.until, clock.now() + standing.LONGEST_COOL_DOWN))
    except (errors.ReconnectNeeded, errors.TokenExpired) as error:
        standing.ask_reconnect(account, error.code)
        return Done(f"must be reconnected: {error.code}")
    except errors.PublishError as error:
        message = standing.public_error(error, account)
        return Retry(Failure(type(error).__name__, message, error.code, response_code=error.status_code))
    standing.platform_works(account)
    return Done("renewed")


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
housekeeping(events.forget_old_events)
doctor_check(examine_publishing)
metric_source(metrics_of_posts)
totals.count_by_key(PLATFORM_KEY)
backup_part(Part("posts", restored.facts, restored.doubts, restored.bring_in_order))
