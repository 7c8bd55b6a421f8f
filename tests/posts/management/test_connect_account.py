"""Connecting from the command line: the secret comes by prompt or standard input, mistakes are one line."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from posts.models import Account
from tests.posts.platforms.fake_pds import PASSWORD, FakePds, did_of
from tests.posts.platforms.fake_webhook import SECRET, FakeWebhook
from tests.site import Site

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]


@pytest.fixture
def pds(settings: Any) -> Iterator[FakePds]:
    settings.SOCIALQ = {**settings.SOCIALQ, "ALLOW_PRIVATE_NETWORKS": True}
    with FakePds() as server:
        yield server


class Terminal(io.StringIO):
    """Standard input at which a person sits."""

    def isatty(self) -> bool:
        return True


def connect(*args: str, stdin: io.StringIO | None = None, monkeypatch: pytest.MonkeyPatch | None = None) -> str:
    if monkeypatch is not None:
        monkeypatch.setattr("sys.stdin", stdin or io.StringIO())
    out = io.StringIO()
    call_command("connect_account", *args, stdout=out)
    return out.getvalue()


def test_an_outbox_needs_only_a_name() -> None:
    said = connect("outbox", "--name", "Ada")
    assert said == f"Connected Ada on Outbox as account {Account.objects.get().pk}.\n"


def test_json_names_id_platform_and_identity() -> None:
    facts = json.loads(connect("outbox", "--name", "Ada", "--keeps-keys", "no", "--json"))
    account = Account.objects.get()
    assert facts == {"id": account.pk, "platform": "outbox", "identity": "Ada", "identity_id": "Ada"}
    assert account.config["keeps_keys"] is False


def test_the_password_comes_from_standard_input(pds: FakePds, monkeypatch: pytest.MonkeyPatch) -> None:
    args = ("bluesky", "--identifier", "alice.test", "--service", pds.url)
    said = connect(*args, stdin=io.StringIO(PASSWORD + "\n"), monkeypatch=monkeypatch)
    account = Account.objects.get()
    assert account.identity_id == did_of("alice.test")
    assert said == f"Connected alice.test on Bluesky as account {account.pk}.\n"
    assert PASSWORD not in said


def test_at_a_terminal_the_password_is_asked_for(pds: FakePds, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = []

    def answer(prompt: str) -> str:
        prompts.append(prompt)
        return PASSWORD

    monkeypatch.setattr("getpass.getpass", answer)
    connect("bluesky", "--identifier", "alice.test", "--service", pds.url, stdin=Terminal(), monkeypatch=monkeypatch)
    assert prompts == ["App password: "]


def test_an_interrupted_prompt_saves_nothing(pds: FakePds, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_prompt: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("getpass.getpass", interrupt)
    with pytest.raises(CommandError, match="No App password was entered; nothing was saved"):
        connect("bluesky", "--identifier", "alice.test", stdin=Terminal(), monkeypatch=monkeypatch)
    assert not Account.objects.exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("myspace",), "Unknown platform “myspace”. This site has: bluesky, "),
        (("outbox",), "Outbox needs --name (Name)"),
        (("outbox", "--name", "Ada", "--chat", "1"), "Outbox has no --chat"),
        (("telegram",), "Telegram needs --chat (Chat)"),
        (("bluesky", "--identifier", "alice.test"), "No App password was entered"),
    ],
)
def test_a_mistake_is_one_line(args: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError) as raised:
        connect(*args, monkeypatch=monkeypatch)
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)
    assert not Account.objects.exists()


@pytest.mark.parametrize("entered", ["{url}\n{secret}\n", "{url}\n{secret}\n\n\n", "{url}\n{secret}\n\nletmein-123\n"])
def test_a_secret_that_is_not_required_may_be_left_out(
    settings: Any, entered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "ALLOW_PRIVATE_NETWORKS": True}
    with FakeWebhook() as receiver:
        receiver.bearer = "letmein-123" if "letmein" in entered else ""
        lines = entered.format(url=receiver.hook, secret=SECRET)
        connect("webhook", stdin=io.StringIO(lines), monkeypatch=monkeypatch)
        assert receiver.tests == 1
    account = Account.objects.get()
    assert (account.name, account.config["host"]) == ("127.0.0.1", "127.0.0.1")
    assert receiver.hook not in json.dumps(account.config)


def test_tokens_of_ones_own_come_as_json(pds: FakePds, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "PLATFORMS": {"bluesky": {"API_BASE": pds.url}}}
    args = ("bluesky", "--tokens-stdin", "--option", "identifier=alice.test")
    said = connect(*args, stdin=io.StringIO(json.dumps({"access_token": PASSWORD})), monkeypatch=monkeypatch)
    account = Account.objects.get(platform="bluesky")
    assert (account.name, account.config["service"]) == ("alice.test", pds.url)
    assert PASSWORD not in said


@pytest.mark.parametrize("text", ["", "no json", "[]", "{}", '{"access_token": 7}'])
def test_what_are_no_tokens_is_refused_without_being_repeated(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match="must be a JSON object with an access_token") as caught:
        connect("bluesky", "--tokens-stdin", stdin=io.StringIO(text), monkeypatch=monkeypatch)
    assert "no json" not in str(caught.value)


def test_no_secret_can_be_an_argument() -> None:
    with pytest.raises(CommandError, match="unrecognized arguments"):
        connect("telegram", "--chat", "1", "--token", "123:abc")


def test_a_refusal_ends_with_exit_code_1_and_one_line(site: Site) -> None:
    with FakePds() as pds:
        args = ("connect_account", "bluesky", "--identifier", "alice.test", "--service", pds.url)
        refused = site.manage(*args, input=PASSWORD, check=False)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.count("\n") == 1
        assert "SOCIALQ_ALLOW_PRIVATE_NETWORKS=true" in refused.stderr
        site.env["SOCIALQ_ALLOW_PRIVATE_NETWORKS"] = "true"
        wrong = site.manage(*args, input="canary-password", check=False)
        assert (wrong.returncode, wrong.stdout) == (1, "")
        assert wrong.stderr.count("\n") == 1
        assert "does not know this handle with this app password" in wrong.stderr
        assert "canary-password" not in wrong.stderr
        facts = json.loads(site.manage(*args, "--json", input=PASSWORD).stdout)
    assert (facts["platform"], facts["identity"]) == ("bluesky", "alice.test")
