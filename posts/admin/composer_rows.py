"""What the composer shows row by row: a file, an account with its own text, an option of its platform."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from posts.models import Account, Media
from posts.publishing import registry
from posts.publishing.capabilities import Capabilities
from posts.publishing.platform import Platform
from posts.publishing.types import Json, Option
from posts.services.media_fit import NAMES, most_of
from posts.services.options import chosen_of, offered
from posts.services.previews import Preview
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
        if self.value is None:
            return ""
        return "\n".join(map(str, self.value)) if isinstance(self.value, list) else str(self.value)


@dataclass(frozen=True, slots=True)
class DuplicateRow:
    """Where an account gets the same text: when, and the post's page for those who may see it."""

    at: datetime
    is_published: bool
    url: str


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
    duplicates: list[DuplicateRow] = field(default_factory=list)
    preview: Preview | None = None

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
        return offered(self.platform, self.account.config) if self.platform is not None else ()

    @property
    def platform(self) -> Platform | None:
        """Return the account's platform, ``None`` if this site does not know it."""
        return registry.platforms().get(self.account.platform)

    @property
    def able(self) -> Capabilities | None:
        """Return what the account takes."""
        return self.platform.capabilities_for(self.account.config) if self.platform is not None else None

    @property
    def platform_label(self) -> str:
        """Return the platform's name for people."""
        return self.platform.label if self.platform is not None else self.account.platform

    @property
    def trouble(self) -> str:
        """Return why nothing can go out to the account right now, "" if it can."""
        return "; ".join(problem.message for problem in account_problems(self.account))

    @property
    def limits(self) -> str:
        """Return the platform's limits in words."""
        if self.able is None:
            return ""
        text = min((limit.maximum for limit in self.able.text), default=0)
        files = [f"{most} {NAMES[kind][most != 1]}" for kind, most in most_of(self.able).items() if most]
        more = [
            str(word)
            for word, able_to in ((_("threads"), self.able.threads), (_("first comment"), self.able.comment))
            if able_to
        ]
        return ", ".join([_("%(number)s characters") % {"number": f"{text:,}"}, *files, *more])

    @property
    def has_threads(self) -> bool:
        """Return whether a text that is too long may become a thread."""
        return self.able is not None and self.able.threads

    @property
    def wording_json(self) -> str:
        """Return what the account's texts get, for the live counter, as JSON."""
        account = self.account
        signature = fill(account.signature.strip(), variables_of(account))
        return json.dumps({"variables": variables_of(account), "utm": account.utm, "signature": signature})

    @property
    def counted_json(self) -> str:
        """Return the text limits for the live counter, with and without pictures, as JSON."""
        if self.able is None:
            return "[]"
        return json.dumps(
            [
                {**asdict(limit), "with_media": with_media}
                for with_media in (False, True)
                for limit in self.able.text_limits(with_media=with_media)
            ]
        )

    @property
    def comment_json(self) -> str:
        """Return the limits of a first comment for the live counter, as JSON; none where there are no comments."""
        return json.dumps([asdict(limit) for limit in (self.able.comment if self.able is not None else ())])
