"""What is filled into a text for one account: variables in braces, and UTM parameters on links. Pure.

The browser does the same in ``posts/static/posts/wording.js``; tests hold both against the same vectors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import quote

VARIABLE = re.compile(r"\{([a-z][a-z0-9_]{0,39})\}")
# Written out with its scheme; what ends a sentence or a bracket is not part of it.
LINK = re.compile(r"https?://[^\s<>\"{}]+")
NO_PART_OF_A_LINK = ".,;:!?'\"\u201d\u2019)]}\u2026"
MOST_MADE_CHARACTERS = 100_000
UTM_NAMES = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return ``text`` with each ``{name}`` of ``values`` filled in; braces around anything else stay as they are."""
    return VARIABLE.sub(_bounded(lambda match: values.get(match[1], match[0])), text)


def unknown_variables(text: str, values: Mapping[str, str]) -> list[str]:
    """Return the names in braces that ``values`` does not have, each once, in order."""
    return list(dict.fromkeys(match[1] for match in VARIABLE.finditer(text) if match[1] not in values))


def with_utm(text: str, parameters: Mapping[str, str]) -> str:
    """Return ``text`` with ``parameters`` on every link that has none of UTM yet; empty ones are left out."""
    wanted = "&".join(f"{name}={quote(parameters[name], safe='')}" for name in UTM_NAMES if parameters.get(name))
    return LINK.sub(_bounded(lambda match: _tagged(match[0], wanted)), text) if wanted else text


def _bounded(replace: Callable[[re.Match[str]], str]) -> Callable[[re.Match[str]], str]:
    """Return ``replace`` for as long as it has not made more than any network takes; what comes then stays as it is.

    A short text can ask for a long value very often, and fill the memory of whoever counts it.
    """
    left = MOST_MADE_CHARACTERS

    def within(match: re.Match[str]) -> str:
        nonlocal left
        made = replace(match)
        left -= len(made)
        return made if left >= 0 else match[0]

    return within


def _tagged(found: str, wanted: str) -> str:
    link = found.rstrip(NO_PART_OF_A_LINK)
    rest = found[len(link) :]
    address, hash_mark, fragment = link.partition("#")
    if "utm_" in address:
        return found
    joint = "&" if "?" in address else "?"
    return f"{address}{joint}{wanted}{hash_mark}{fragment}{rest}"
