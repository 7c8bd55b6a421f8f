"""kill -9 of a worker that renews a login, after the server handed it out and before it is stored."""

from __future__ import annotations

import pytest

from tests.faults.conftest import Injected
from tests.faults.publishing import connect_bluesky, schedule_posts
from tests.posts.platforms.fake_pds import PASSWORD, FakePds
from tests.site import Site

# No group of its own: it mostly waits, while others work.
pytestmark = [pytest.mark.faults, pytest.mark.row(1)]

STRICT_HANDLES = ("picture.strict.test", "text.strict.test")


def test_a_worker_killed_in_a_refresh_leaves_an_account_that_is_refreshed_or_held_with_one_alert(
    site: Site, injected: Injected
) -> None:
    site.env["SOCIALQ_HTTP_TIMEOUT_SECONDS"] = "1"
    with FakePds() as answers_again, FakePds(single_use=True) as strict:
        # A picture is refused before the mark, a text at the one call after it.
        refreshed = [connect_bluesky(site, answers_again, handle) for handle in ("picture.test", "text.test")]
        held = [connect_bluesky(site, strict, handle) for handle in STRICT_HANDLES]
        killed = [site.directory / f"killed-{number}" for number in range(4)]
        site.env["SOCIALQ_FAILPOINTS"] = ",".join(f"during_refresh=kill@{path}" for path in killed)
        for server in (answers_again, strict):
            server.expire_access_tokens()
        for with_picture, with_text in (refreshed, held):
            schedule_posts(site, [with_picture], 1)
            schedule_posts(site, [with_text], 1, picture=False)
        site.spawn("qcluster")
        for path in killed:
            site.wait_until(path.exists, 60)
            injected("kill -9 of a worker during a token refresh")
        # The lease of a refresh is half a minute longer than the call may take.
        site.wait_until(lambda: waiting_for_reconnect(site) == held, 90)
        site.wait_until(lambda: statuses(site) == ["published"] * 2 + ["scheduled"] * 2, 30)
        assert len({post["account"] for post in answers_again.accepted}) == len(answers_again.accepted) == 2
        assert strict.accepted == []
        assert site.sql("SELECT COUNT(*) FROM queue_app_notice WHERE kind = 'reconnect'") == [(len(held),)]
        for account, handle in zip(held, STRICT_HANDLES, strict=True):
            connect_again(site, account, handle)
        site.wait_until(lambda: statuses(site) == ["published"] * 4)
        assert len({post["account"] for post in strict.accepted}) == len(strict.accepted) == 2


def waiting_for_reconnect(site: Site) -> list[int]:
    return [row[0] for row in site.sql("SELECT id FROM posts_account WHERE reconnect_reason <> '' ORDER BY id")]


def statuses(site: Site) -> list[str]:
    return [row[0] for row in site.sql("SELECT status FROM posts_delivery ORDER BY id")]


def connect_again(site: Site, account: int, handle: str) -> None:
    site.do(
        "from posts.models import Account\n"
        "from posts.services.accounts import reconnect_account\n"
        f"account = Account.objects.get(pk={account})\n"
        f"answers = {{'identifier': {handle!r}, 'password': {PASSWORD!r}, 'service': account.config['service']}}\n"
        "reconnect_account(account, answers)\n"
    )
