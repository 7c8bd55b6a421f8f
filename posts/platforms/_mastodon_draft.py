"""What of a draft a server would refuse that limits as data do not say: its warning and its poll."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from posts.platforms._mastodon_instance import capabilities_of, is_at_least, limits_of
from posts.publishing.types import Config, Draft, Remark
from posts.text.counting import count, violations

POLL_WITH_MEDIA = (4, 6, 0)


def draft_problems(draft: Draft, config: Config) -> list[Remark]:
    """Return what keeps ``draft`` from the server of the account with ``config``."""
    return [*_warning_problems(draft, config), *_poll_problems(draft, config)]


def warning_length(options: Mapping[str, Any]) -> int:
    """Return what a content warning takes of the limit that it shares with the text."""
    return count(str(options.get("content_warning") or ""), "graphemes")


def _warning_problems(draft: Draft, config: Config) -> list[Remark]:
    limit = capabilities_of(config).text[0]
    warning = warning_length(draft.options)
    left = replace(limit, maximum=limit.maximum - warning)
    broken = [each for text in draft.texts for each in violations(text, [left])] if warning else []
    code = "mastodon.too_long_with_warning"
    return [Remark(code, {"length": each.length + warning, "maximum": limit.maximum}, "text") for each in broken[:1]]


def _poll_problems(draft: Draft, config: Config) -> list[Remark]:
    answers = draft.options.get("poll")
    if not isinstance(answers, list) or not answers:
        return []
    most = limits_of(config)["poll_choice_characters"]
    longest = max(count(str(answer), "code_points") for answer in answers)
    found = []
    if len(answers) < 2:
        found.append(Remark("mastodon.poll_too_short", field="poll"))
    if len(set(answers)) < len(answers):
        found.append(Remark("mastodon.poll_doubled", field="poll"))
    if longest > most:
        found.append(Remark("mastodon.poll_answer_long", {"length": longest, "maximum": most}, "poll"))
    if draft.media and not is_at_least(config, *POLL_WITH_MEDIA):
        found.append(Remark("mastodon.poll_with_media", field="poll"))
    return found
