"""A large film through a real worker: it goes in pieces, and the worker's memory hardly grows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.faults.rounds import LONG
from tests.posts.media.films import film
from tests.posts.platforms.networks import contract_of, served
from tests.site import Site

pytestmark = [pytest.mark.faults, pytest.mark.one_database, pytest.mark.xdist_group("clusters")]

FILM_BYTES = 300_000_000 if LONG else 150_000_000
# Far less than the film.
MOST_GROWTH_BYTES = 64_000_000
# What a film needs there, and how long the network takes to work on it in the fake.
OPTIONS = {
    "x": [],
    "linkedin": [],
    "tiktok": ["privacy=SELF_ONLY"],
    "youtube": ["title=A film", "made_for_kids=no"],
}


# Which of several that the login can post for.
IDENTITY = {"linkedin": "urn:li:organization:1001"}
# What the fake keeps of a body; the others look into every piece.
KEEPS_BYTES = {"tiktok": 1 << 16, "youtube": 1 << 16}


def worker(site: Site) -> int:
    rows = site.sql("SELECT pid FROM queue_app_worker WHERE stopped_at IS NULL")
    return int(rows[0][0]) if rows else 0


def peak_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def publish(site: Site, account: int, file: Path, name: str) -> None:
    options = [word for option in OPTIONS[name] for word in ("--option", option)]
    command = (
        "schedule_post",
        "--account",
        str(account),
        "--text",
        file.stem,
        "--media",
        str(file),
        *options,
        "--json",
    )
    post = json.loads(site.do(f"from django.core.management import call_command\ncall_command(*{command})"))["id"]
    site.wait_until(lambda: status(site, post) == "published", 150)


def status(site: Site, post: int) -> str:
    return str(site.sql("SELECT status FROM posts_delivery WHERE post_id = %s", [post])[0][0])


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_a_large_film_hardly_moves_the_workers_memory(site: Site, tmp_path: Path, name: str) -> None:
    small = film(tmp_path / "small.mp4", size_bytes=1_000_000)
    large = film(tmp_path / "large.mp4", size_bytes=FILM_BYTES)
    contract: Any = contract_of(name)
    with served(contract) as server:
        server.keeps_bytes = KEEPS_BYTES.get(name)
        prefix = f"SOCIALQ_{name.upper()}"
        site.env |= {
            "SOCIALQ_ALLOW_PRIVATE_NETWORKS": "true",
            "SOCIALQ_WORKERS": "1",
            f"{prefix}_CLIENT_ID": "client-1",
            f"{prefix}_CLIENT_SECRET": "client-secret-1",
            f"{prefix}_API_BASE": server.url,
            f"{prefix}_AUTH_BASE": server.url,
        }
        tokens = json.dumps(contract.tokens(server))
        whose = ("--identity", IDENTITY[name]) if name in IDENTITY else ()
        answer = site.manage("connect_account", name, "--tokens-stdin", "--json", *whose, input=tokens).stdout
        account = json.loads(answer)["id"]
        site.spawn("qcluster")
        pid = site.wait_until(lambda: worker(site))
        publish(site, account, small, name)
        before = peak_bytes(pid)
        server.seen.clear()
        publish(site, account, large, name)
        assert worker(site) == pid
        grown = peak_bytes(pid) - before
        assert sum(seen.size_bytes for seen in server.seen) >= FILM_BYTES
        assert max(seen.size_bytes for seen in server.seen) <= FILM_BYTES // 4
        assert grown < MOST_GROWTH_BYTES, f"{grown:,} bytes more"
    shutil.rmtree(tmp_path / "var", ignore_errors=True)
