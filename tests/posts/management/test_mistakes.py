"""Mistakes on the command line: every command says them in one line on standard error, with exit code 1."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

from posts.models import Account, Media, Post
from queue_app.management.base import OneLineCommand
from tests.site import Site

COMMANDS = sorted(name for name, app in get_commands().items() if app in ("posts", "queue_app"))
MISTAKES = {
    "connect_account": "the following arguments are required: platform",
    "connect_account outbox --name": "--name: expected one argument",
    "connect_account outbox --name A too": "there is a word too many",
    "schedule_post --account": "--account: expected one argument",
    "schedule_post --account 1 --at": "--at: expected one argument",
    "schedule_post --a 1": "ambiguous option: --a",
    "show_post": "the following arguments are required: id",
    "purge_jobs --days soon": "--days: invalid float value: 'soon'",
    "purge_jobs --status running": "--status: invalid choice: 'running'",
    "queue_status now": "there is a word too many",
    "explain_job": "the following arguments are required: id",
    "check_health now": "there is a word too many",
    "serve --port http": "--port: invalid int value: 'http'",
    "workers --queue": "--queue: expected one argument",
}
OUT_OF_RANGE = ("--port 0", "--port 99999", "--clusters -1", "--web-workers 0")


def refused(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command whose arguments are wrong; return the one line that it said."""
    name, *arguments = line.split(" ")
    command = load_command_class(get_commands()[name], name)
    with pytest.raises(SystemExit) as ended:
        command.run_from_argv(["manage.py", name, *arguments])
    said = capsys.readouterr()
    assert ended.value.code == 1
    assert said.out == ""
    assert said.err.count("\n") == 1, said.err
    return said.err


@pytest.mark.parametrize("line", MISTAKES)
def test_a_wrong_argument_is_one_line(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(line, capsys)
    assert MISTAKES[line] in said
    assert f"manage.py {line.split(maxsplit=1)[0]} --help" in said


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_names_an_option_that_it_does_not_have(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command: BaseCommand = load_command_class(get_commands()[name], name)
    assert isinstance(command, OneLineCommand)
    needed = {
        "connect_account": " outbox",
        "create_api_key": " ada --name x",
        "show_post": " 1",
        "explain_job": " 1",
        "telegram_webhook": " info desk",
    }.get(name, "")
    assert "there is no option --colour" in refused(f"{name}{needed} --colour red", capsys)


def test_a_secret_typed_as_an_argument_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ("123:CANARY", "--password CANARY", "--token=CANARY"):
        assert "CANARY" not in refused(f"connect_account telegram --chat news {arguments}", capsys)


def test_an_interrupted_command_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = load_command_class("queue_app", "purge_jobs")
    monkeypatch.setattr(command, "execute", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(SystemExit) as ended:
        command.run_from_argv(["manage.py", "purge_jobs"])
    assert (ended.value.code, capsys.readouterr().err) == (130, "Interrupted\n")


@pytest.mark.parametrize("arguments", OUT_OF_RANGE)
def test_serve_starts_nothing_it_could_not_run(arguments: str, site: Site) -> None:
    done = site.manage("serve", *arguments.split(), check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"CommandError: {arguments.split(maxsplit=1)[0]} is a number from ")


def test_a_database_without_tables_is_one_line(site: Site, tmp_path: Path) -> None:
    site.env["DATABASE_URL"] = f"sqlite:///{tmp_path / 'empty.sqlite3'}"
    for line in ("queue_status", "show_post 1", "schedule_post --account 1 --text Hello", "first_run", "purge_jobs"):
        done = site.manage(*line.split(), check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("CommandError: The database cannot be used: no such table")
        assert done.stderr.count("\n") == 1


def test_a_database_that_is_away_is_one_line_without_its_password(site: Site) -> None:
    site.env["DATABASE_URL"] = "postgres://ann:CANARY@127.0.0.1:1/socialq"
    done = site.manage("show_post", "1", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Check DATABASE_URL" in done.stderr
    assert "CANARY" not in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.django_db
def test_nothing_is_saved_by_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    refused("connect_account outbox --name Ada --chat x y", capsys)
    refused("schedule_post --account 1 --text Hello --when now", capsys)
    assert not Account.objects.exists()
    assert not Post.objects.exists()
    assert not Media.objects.exists()
