"""Connect an account from the command line: ask, call the service, print. No secret is ever an argument.

Platforms with a form are asked for what the form asks; with ``--tokens-stdin`` a person brings tokens of their own.
"""

from __future__ import annotations

import getpass
import json
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandError

from posts import conf
from posts.models import Account
from posts.publishing import registry
from posts.publishing.types import Field, Json
from posts.services.accounts import connect_account
from posts.services.errors import ServiceError
from posts.services.logins import connect_with_tokens
from queue_app.management.base import OneLineCommand

TOKENS_MAX_CHARACTERS = 100_000


class Command(OneLineCommand):
    help = (
        "Connect an account and check it with its platform, or give it new credentials. The secret (an app password, "
        "a token) is asked for, or read from standard input; it is never an argument."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare an option for every field of every platform that is no secret."""
        # An abbreviation would take a secret that was typed as an argument for one of these, and repeat it.
        parser.allow_abbrev = False
        parser.add_argument("platform", help=f"one of: {', '.join(_enabled())}")
        parser.add_argument("--json", action="store_true", help="print one JSON object with id, platform and identity")
        parser.add_argument(
            "--tokens-stdin",
            action="store_true",
            help="read JSON from standard input: access_token, and refresh_token, expires_at, or what else it needs",
        )
        parser.add_argument(
            "--option",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="an answer to what the platform asks, for example instance=https://mastodon.example; repeatable",
        )
        parser.add_argument(
            "--identity",
            action="append",
            default=[],
            metavar="ID",
            help="with --tokens-stdin: which of several pages, organisations or channels; repeatable",
        )
        for name, owners in _options().items():
            told = "; ".join(f"{platform}: {field.help or field.label}" for platform, field in owners.items())
            parser.add_argument(_flag(name), dest=f"field_{name}", metavar=name.upper(), help=told.replace("%", "%%"))

    def handle(self, *args: Any, **options: Any) -> None:
        """Connect and print identity and id."""
        name = options["platform"]
        given = {
            key.removeprefix("field_"): value
            for key, value in options.items()
            if key.startswith("field_") and value is not None
        } | _pairs(options["option"])
        try:
            if options["tokens_stdin"]:
                accounts = connect_with_tokens(name, _tokens(), given, only=options["identity"])
            else:
                accounts = [connect_account(name, given | _secrets(name, given))]
        except ServiceError as error:
            raise CommandError(" ".join(str(error).split())) from None
        for account in accounts:
            self._print(account, as_json=options["json"])

    def _print(self, account: Account, *, as_json: bool) -> None:
        if as_json:
            facts = {
                "id": account.pk,
                "platform": account.platform,
                "identity": account.name,
                "identity_id": account.identity_id,
            }
            self.stdout.write(json.dumps(facts))
            return
        label = registry.get(account.platform).label
        self.stdout.write(f"Connected {' '.join(account.name.split())} on {label} as account {account.pk}.")


def _enabled() -> list[str]:
    return [name for name in registry.platforms() if name in conf.get("ENABLED_PLATFORMS")]


def _options() -> dict[str, dict[str, Field]]:
    """Return the fields that are no secret, by name, each with the platforms that ask for it."""
    options: dict[str, dict[str, Field]] = {}
    for platform in _enabled():
        for field in registry.get(platform).connect_fields:
            if not field.secret:
                options.setdefault(field.name, {})[platform] = field
    return options


def _secrets(platform: str, given: dict[str, str]) -> dict[str, str]:
    """Ask for the secrets of ``platform``, once everything else is there that it needs; else the service complains."""
    fields = registry.get(platform).connect_fields if platform in _enabled() else ()
    for field in fields:
        if field.required and not field.secret and not given.get(field.name, "").strip():
            raise CommandError(f"{registry.get(platform).label} needs {_flag(field.name)} ({field.label})")
    for name in given:
        if fields and name not in {field.name for field in fields}:
            raise CommandError(f"{registry.get(platform).label} has no {_flag(name)}")
    return {field.name: _ask(field) for field in fields if field.secret}


def _pairs(options: Sequence[str]) -> dict[str, str]:
    """Return the answers of --option, by name."""
    for option in options:
        if "=" not in option:
            raise CommandError("--option takes NAME=VALUE, for example --option instance=https://mastodon.example")
    return dict(option.split("=", 1) for option in options)


def _tokens() -> Json:
    """Read the tokens; what cannot be read is not repeated, for it may be a token."""
    try:
        tokens = json.loads(sys.stdin.read(TOKENS_MAX_CHARACTERS))
    except ValueError:
        tokens = None
    if not isinstance(tokens, dict) or not isinstance(tokens.get("access_token"), str) or not tokens["access_token"]:
        raise CommandError('Standard input must be a JSON object with an access_token, like {"access_token": "…"}')
    return tokens


def _ask(field: Field) -> str:
    try:
        if sys.stdin.isatty():
            answer = getpass.getpass(f"{field.label}{'' if field.required else ' (may be left empty)'}: ")
        else:
            answer = sys.stdin.readline()
    except (EOFError, KeyboardInterrupt):
        raise CommandError(f"No {field.label} was entered; nothing was saved") from None
    if field.required and not answer.strip():
        raise CommandError(f"No {field.label} was entered: type it when asked, or send it on standard input")
    return answer.strip()


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
