"""What the composer shows row by row: a file, an account with its own text, an option of its platform."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from posts.models import Account, Media
from posts.publishing import registry
from posts.publishing.types import Json, Option
from posts.services.media_fit import NAMES, most_of
from posts.services.options import chosen_of, offered
from posts.services.validation import account_problems
from posts.services.wording import variables_of
from posts.text.variables import fill


@dataclass
class PictureRow:
    """One picture, video or document in the form: its alt text, and the number that orders it."""

    media: Media
    alt_text: str = ""
    position: int = 0


@dataclass
class OptionField:
    """One option of a platform on the page: its name in the form and what it shows."""

    account: Account
    option: Option
    value: Any
    is_wrong: bool = False

    @property
    def described_by(self) -> str:
        """Return the ids of what is said about the field: what is wrong with it, its help."""
        wrong = f"account_{self.account.pk}_errors" if self.is_wrong else ""
        return " ".join(filter(None, [wrong, f"{self.name}_help" if self.option.help else ""]))

    @property
    def name(self) -> str:
        """Return the name of the field in the form."""
        return option_name(self.account, self.option)

    @property
    def shown(self) -> str:
        """Return the value as the field shows it."""
        return "\n".join(map(str, self.value)) if isinstance(self.value, list) else str(self.value)


def option_name(account: Account, option: Option) -> str:
    """Return the name of an option's field in the form."""
    return f"option_{account.pk}_{option.name}"


@dataclass
class AccountRow:
    """One account in the form: whether it is chosen, its own text, and what is wrong with the post there.

    ``wrong`` are the fields and options that ``problems`` are about.
    """

    account: Account
    chosen: bool = False
    own_text: str = ""
    options: Json = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    wrong: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    @property
    def option_fields(self) -> list[OptionField]:
        """Return what the person may choose for the platform, each with what is chosen."""
        return [
            OptionField(self.account, option, self.options.get(option.name, option.default), option.name in self.wrong)
            for option in self.offered
        ]

    @property
    def shows_options(self) -> bool:
        """Return whether the options are open at first: something was chosen, is wrong, or has to be chosen."""
        needed = any(option.required and option.default in ("", None) for option in self.offered) and self.chosen
        return needed or bool(self.wrong) or bool(chosen_of(self.options, self.offered))

    @property
    def offered(self) -> Sequence[Option]:
        """Return what the platform offers on this account."""
        platform = registry.platforms().get(self.account.platform)
        return offered(platform, self.account.config) if platform is not None else ()

    @property
    def platform_label(self) -> str:
        """Return the platform's name for people."""
        platform = registry.platforms().get(self.account.platform)
        return platform.label if platform is not None else self.account.platform

    @property
    def trouble(self) -> str:
        """Return why nothing can go out to the account right now, "" if it can."""
        return "; ".join(problem.message for problem in account_problems(self.account))

    @property
    def limits(self) -> str:
        """Return the platform's limits in words."""
        platform = registry.platforms().get(self.account.platform)
        if platform is None:
            return ""
        able = platform.capabilities_for(self.account.config)
        text = min((limit.maximum for limit in able.text), default=0)
        files = [f"{most} {NAMES[kind][most != 1]}" for kind, most in most_of(able).items() if most]
        more = [word for word, able_to in (("threads", able.threads), ("first comment", able.comment)) if able_to]
        return ", ".join([f"{text:,} characters", *files, *more])

    @property
    def has_threads(self) -> bool:
        """Return whether a text that is too long may become a thread."""
        platform = registry.platforms().get(self.account.platform)
        return platform is not None and platform.capabilities_for(self.account.config).threads

    @property
    def wording_json(self) -> str:
        """Return what the account's texts get, for the live counter, as JSON."""
        account = self.account
        signature = fill(account.signature.strip(), variables_of(account))
        return json.dumps({"variables": variables_of(account), "utm": account.utm, "signature": signature})

    @property
    def counted_json(self) -> str:
        """Return the text limits for the live counter, with and without pictures, as JSON."""
        platform = registry.platforms().get(self.account.platform)
        if platform is None:
            return "[]"
        return json.dumps(
            [
                {
                    "unit": limit.unit,
                    "maximum": limit.maximum,
                    "link_length": limit.link_length,
                    "with_media": with_media,
                }
                for with_media in (False, True)
                for limit in platform.capabilities_for(self.account.config).text_limits(with_media=with_media)
            ]
        )
