"""The directive ``from-code``: the parts of the reference that are read from the code, so they cannot be out of date.

    ```{from-code} settings
    ```

Owns how these are laid out as Markdown; what they say is the code's.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from django.core.management import load_command_class
from django.core.management.base import BaseCommand
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from posts import conf as posts_conf
from posts.publishing import errors, registry, words
from posts.rest.api import posts_api
from queue_app import conf as queue_conf
from queue_app import states
from queue_app.explain import REASONS
from queue_app.models import EventName

Lines = Iterator[str]
# Every command of Django's has these.
COMMON = {action.dest for action in BaseCommand().create_parser("", "")._actions}


def settings() -> Lines:
    """Return both apps' settings, then what may be set for each platform."""
    for app, table in (("queue_app", queue_conf.SETTINGS), ("posts", posts_conf.SETTINGS)):
        yield from ("", f"## Of {app}", "")
        for name, setting in table.items():
            yield from (f"### {name}", "", setting.help, "")
            unit = f", in a unit of {setting.factor}" if setting.factor != 1 else ""
            variable = f"`{setting.env or 'SOCIALQ_' + name}`{unit}"
            yield from (f"- default: `{setting.default!r}`", f"- environment of this site: {variable}", "")
    yield from ("## Of a platform", "", '`SOCIALQ["PLATFORMS"]["x"]["CLIENT_ID"]`, or `SOCIALQ_X_CLIENT_ID`.', "")
    yield from _table("setting", "what it is", posts_conf.APP_SETTINGS.items())
    for platform in registry.platforms().values():
        own = [
            (f"SOCIALQ_{platform.name}_{each.name}".upper(), each.help or each.label) for each in platform.app_settings
        ]
        if own:
            yield from _table(f"{platform.label} alone", "what it is", own)


def commands() -> Lines:
    """Return every command of both apps, with its options."""
    for app in ("queue_app", "posts"):
        folder = Path(str(import_module(f"{app}.management.commands").__path__[0]))
        for name in sorted(path.stem for path in folder.glob("[!_]*.py")):
            command = load_command_class(app, name)
            parser = command.create_parser("manage.py", name)
            yield from ("", f"## {name}", "", _plain(str(command.help or command.__doc__ or "")), "")
            yield from ("```text", re.sub(r"\s+", " ", _usage(parser)).strip(), "```", "")
            yield from _table("option", "what it does", _options(parser))


def job_states() -> Lines:
    """Return the states of a job and what leads from one to the next."""
    yield from ("```mermaid", states.diagram(), "```", "")
    yield from _table("reason", "what it says", ((code, str(said)) for code, said in REASONS.items() if code))


def event_names() -> Lines:
    """Return the names of events of jobs."""
    yield from _table("event", "the job was", ((name.value, str(name.label)) for name in EventName))


def error_codes() -> Lines:
    """Return every code that a platform's answer may get, with its sentence and its next step."""
    yield from ("## Kinds", "")
    kinds = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.PublishError)]
    yield from _table("error", "what it says", ((kind.__name__, kind.__doc__ or "") for kind in kinds))
    yield from _words("Of every platform", words.WORDS)
    for platform in registry.platforms().values():
        if platform.words:
            yield from _words(platform.label, platform.words)


def platforms() -> Lines:
    """Return each platform's login, options and what is said about setting it up."""
    for platform in registry.platforms().values():
        yield from ("", f"## {platform.label}", "", platform.setup or "Needs no app at the network.", "")
        asked = [(each.name, each.help or each.label) for each in platform.connect_fields]
        yield from _table("asked to connect", "what it is", asked)
        yield from _table("option of a post", "what it is", ((each.name, each.label) for each in platform.options))


def operations() -> Lines:
    """Return what the REST API has, by tag."""
    by_tag: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for path, methods in posts_api().get_openapi_schema(path_prefix="/api/")["paths"].items():
        for method, told in methods.items():
            by_tag.setdefault(told["tags"][0], []).append((f"{method.upper()} {path}", told))
    for tag, found in by_tag.items():
        yield from ("", f"## {tag.capitalize()}", "")
        for name, told in found:
            yield from (f"### `{name}`", "", f"{told['summary']}.", "", told["description"], "")
            yield from (f"Answers {', '.join(str(status) for status in told['responses'])}.", "")


SECTIONS: Mapping[str, Callable[[], Lines]] = {
    "settings": settings,
    "commands": commands,
    "states": job_states,
    "events": event_names,
    "errors": error_codes,
    "platforms": platforms,
    "operations": operations,
}


class FromCode(SphinxDirective):
    """Lays out one of ``SECTIONS``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the section, parsed as the page around it is."""
        text = "\n".join(SECTIONS[self.arguments[0]]())
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("from-code", FromCode)
    return {"parallel_read_safe": True}


def _words(title: str, table: Mapping[str, words.Words]) -> Lines:
    yield from ("", f"## {title}", "")
    rows = ((code, f"{said.sentence} *{said.next_step}*") for code, said in table.items())
    yield from _table("code", "what happened, and *what to do*", rows)


def _options(parser: argparse.ArgumentParser) -> Lines:
    for action in parser._actions:
        if action.dest not in COMMON:
            names = ", ".join(action.option_strings) or str(action.metavar or action.dest).upper()
            yield (names, _plain(str(action.help or "")))  # type: ignore[misc]


def _usage(parser: argparse.ArgumentParser) -> str:
    own = [action for action in parser._actions if action.dest not in COMMON]
    formatter = parser._get_formatter()
    formatter.add_usage(None, own, [], prefix="")
    return formatter.format_help()


def _table(first: str, second: str, rows: Any) -> Lines:
    rows = list(rows)
    if not rows:
        return
    yield from (f"| {first} | {second} |", "| --- | --- |")
    for name, said in rows:
        yield f"| `{name}` | {_plain(str(said))} |"
    yield ""


def _plain(text: str) -> str:
    """Return a docstring or a help text as one line of Markdown."""
    line = re.sub(r"\s+", " ", text).strip().replace("``", "`").replace("|", "\\|")
    return re.sub(r"<(?!https?:)", "&lt;", line)
