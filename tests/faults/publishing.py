"""What the tests of faults share: outbox accounts, posts in bulk, and the network's own log to judge by."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tests.posts.platforms.fake_pds import PASSWORD, FakePds
from tests.site import Site

FINAL = {"published", "failed", "cancelled", "expired"}


@dataclass(frozen=True)
class Outcome:
    """One delivery as the database has it, and how often the network accepted it."""

    status: str
    needs_person: bool
    accepted: int
    attempts: int
    error: str

    @property
    def settled(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.status in FINAL or (self.status == "needs_review" and self.needs_person)


def connect_outboxes(site: Site, *names: str, keeps_keys: bool = True) -> list[int]:
    """Connect outbox accounts; without ``keeps_keys`` they behave like a network that cannot be asked."""
    printed = site.do(
        "from posts.services.accounts import connect_account\n"
        f"for name in {names}:\n"
        "    account = connect_account('outbox', {'name': name})\n"
        f"    account.config['keeps_keys'] = {keeps_keys}\n"
        "    account.save()\n"
        "    print(account.pk)\n"
    )
    return [int(line) for line in printed.split()]


def connect_bluesky(site: Site, server: FakePds, handle: str) -> int:
    """Connect an account of a server on this machine."""
    site.env["SOCIALQ_ALLOW_PRIVATE_NETWORKS"] = "true"
    server.passwords[handle] = PASSWORD
    answers = {"identifier": handle, "password": PASSWORD, "service": server.url}
    return int(
        site.do(f"from posts.services.accounts import connect_account\nprint(connect_account('bluesky', {answers}).pk)")
    )


def schedule_posts(
    site: Site, accounts: list[int], count: int, *, within_seconds: float = 0.0, picture: bool = True
) -> None:
    """Schedule ``count`` posts with a ``picture`` to every account, evenly spread over the coming seconds."""
    site.do(
        "import io\n"
        "from datetime import timedelta\n"
        "from django.core.files.base import ContentFile\n"
        "from PIL import Image\n"
        "from posts.services.media import store_upload\n"
        "from queue_app import clock\n"
        "from posts.services.posts import save_draft, schedule_post\n"
        "png = io.BytesIO()\n"
        "Image.new('RGB', (40, 30), 'teal').save(png, 'PNG')\n"
        "file = ContentFile(png.getvalue(), name='a.png')\n"
        "media = store_upload(file, owner=None, original_name='a.png')\n"
        f"for n in range({count}):\n"
        f"    pictures, text = [(media.pk, '')] * {picture:d}, f'Post {{n}}'\n"
        f"    post = save_draft(post=None, owner=None, text=text, account_ids={accounts}, media=pictures)\n"
        f"    schedule_post(post, at=clock.now() + timedelta(seconds={within_seconds} * n / {count}))\n"
    )


def outcomes(site: Site) -> list[Outcome]:
    """Return every delivery beside what the network's own log says of it."""
    accepted = Counter(str(key) for (key,) in site.sql("SELECT sender_key FROM posts_outboxarrival WHERE accepted"))
    rows = site.sql(
        "SELECT d.uuid, d.status, j.needs_review_at, j.attempts, d.error_message"
        " FROM posts_delivery d LEFT JOIN queue_app_job j ON j.id = d.job_id"
    )
    return [
        Outcome(str(status), review is not None, accepted[str(uuid).replace("-", "")], int(attempts or 0), str(error))
        for uuid, status, review, attempts, error in rows
    ]


def broken(found: list[Outcome]) -> list[Outcome]:
    """Return the deliveries that break the promise: sent twice, or the database disagrees with the network's log."""
    expected = {"published": {1}, "failed": {0}, "cancelled": {0}, "expired": {0}, "needs_review": {0, 1}}
    return [outcome for outcome in found if outcome.accepted not in expected.get(outcome.status, {0, 1})]
