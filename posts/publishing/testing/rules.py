"""The rules of the kit by name, and the mark that makes a failing check say which one is broken."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TypeVar

import pytest

Check = TypeVar("Check", bound=Callable[..., None])

GUIDE = "docs/adding_a_platform.md"
RULES: Mapping[str, str] = {
    "identity": "The network says who an account is, never what a person entered; connecting and checking agree.",
    "errors": "Whatever a server answers, a platform raises errors of the kit, each with words, and nothing else.",
    "login": "A login that is wrong or has ended is told apart from every other refusal.",
    "refresh": "Refreshing gives a login that works, never loses the refresh token, and says when it cannot be done.",
    "secrets": "No secret is in a repr, an error, a snapshot, a checkpoint or the answer that is kept.",
    "address": "No secret is in an address where the network takes a header or a body.",
    "hosts": "Nothing is sent to a host that neither the network's rules nor the site's settings name.",
    "publishing": "A text and a picture arrive as they were written, once, and their id comes back.",
    "prepare": "Preparing makes nothing public.",
    "snapshot": "The snapshot is plain JSON and all that a commit in another process needs.",
    "resume": "What is checkpointed is not done again: after a crash no file is uploaded twice.",
    "waiting": "A platform never sleeps and never polls in a loop: it raises NotReady and is called again.",
    "pieces": "Large files are read and sent in pieces, never whole.",
    "once": "A commit sends its call once, whatever comes back.",
    "unknown": "After the body of a commit left, only a documented refusal is believed; all else is OutcomeUnknown.",
    "find": "A look-up is never wrong: what is live is not Absent, what is not is not Found, and a fault is neither.",
    "repeat": "Repeating after a lost answer never makes a second post where the platform says so; its keys are ours.",
    "limits": "A rate limit is kept until the time that the network names; a text at the limit goes through.",
    "threads": "Parts go out in order, each below the one before; a first comment is below the post.",
    "data": "Capabilities, options, fields and windows are consistent data.",
    "words": "Every code has a sentence and a next step, and every label has words.",
}


def rule(name: str) -> Callable[[Check], Check]:
    """Mark a check as one of the rule ``name``: its failure names the rule and where to read about it."""
    note = f"Broken rule “{name}”: {RULES[name]}\nRead {GUIDE}, “{name}”."

    def mark(check: Check) -> Check:
        @functools.wraps(check)
        def marked(*args: object, **kwargs: object) -> None:
            try:
                check(*args, **kwargs)
            except (Exception, pytest.fail.Exception) as error:
                error.add_note(note)
                raise

        marked.socialq_rule = name  # type: ignore[attr-defined]  # read by the plugin
        return marked  # type: ignore[return-value]  # wraps gives it the check's own signature

    return mark
