"""What every text of an account gets: its variables, UTM parameters on its links, its signature.

The only writer of these columns. What they do to a text is in ``wording``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from django.utils.translation import gettext

from posts.models import Account
from posts.services.errors import Problem, ValidationFailed
from posts.text.storable import is_storable
from posts.text.variables import UTM_NAMES

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
MOST_VARIABLES = 50
VALUE_CHARACTERS, SIGNATURE_CHARACTERS, UTM_CHARACTERS = 1000, 2000, 200


def set_account_texts(
    account: Account, *, signature: str, variables: Mapping[str, str], utm: Mapping[str, str]
) -> Account:
    """Set what the texts of ``account`` get from now on, posts that are scheduled included; in place.

    ``variables`` are values by name, ``utm`` by ``utm_source`` and so on. Raises ValidationFailed.
    """
    problems = [*_variable_problems(variables), *_text_problems(signature, variables, utm)]
    if problems:
        raise ValidationFailed(problems)
    account.signature, account.variables = signature.strip(), dict(variables)
    account.utm = {name: value.strip() for name, value in utm.items() if value.strip()}
    account.save(update_fields=["signature", "variables", "utm", "updated_at"])
    return account


def _variable_problems(variables: Mapping[str, str]) -> list[Problem]:
    problems = [
        Problem(
            "variables",
            gettext("“%(name)s” is no name for a variable: use small letters, digits and _") % {"name": name[:40]},
        )
        for name in variables
        if not NAME.fullmatch(name)
    ]
    if len(variables) > MOST_VARIABLES:
        problems.append(
            Problem(
                "variables",
                gettext("There are %(number)s variables, the limit is %(most_variables)s")
                % {"number": len(variables), "most_variables": MOST_VARIABLES},
            )
        )
    for name, value in variables.items():
        if len(value) > VALUE_CHARACTERS:
            text = gettext("The variable %(name)s has %(number)s characters, the limit is %(value_characters)s") % {
                "name": name,
                "number": f"{len(value):,}",
                "value_characters": f"{VALUE_CHARACTERS:,}",
            }
            problems.append(Problem("variables", text))
    return problems


def _text_problems(signature: str, variables: Mapping[str, str], utm: Mapping[str, str]) -> list[Problem]:
    problems = []
    if len(signature) > SIGNATURE_CHARACTERS:
        text = gettext("The signature has %(number)s characters, the limit is %(signature_characters)s") % {
            "number": f"{len(signature):,}",
            "signature_characters": f"{SIGNATURE_CHARACTERS:,}",
        }
        problems.append(Problem("signature", text))
    for name, value in utm.items():
        if name not in UTM_NAMES:
            problems.append(
                Problem(
                    "utm",
                    gettext("There is no parameter %(name)s; use %(utm_names)s")
                    % {"name": name, "utm_names": ", ".join(UTM_NAMES)},
                )
            )
        elif len(value) > UTM_CHARACTERS:
            problems.append(
                Problem(
                    name,
                    gettext("%(name)s has %(number)s characters, the limit is %(utm_characters)s")
                    % {"name": name, "number": f"{len(value):,}", "utm_characters": f"{UTM_CHARACTERS:,}"},
                )
            )
    stored = [*variables.values(), signature, *utm.values()]
    if not all(map(is_storable, stored)):
        problems.append(
            Problem("signature", gettext("A text has characters that cannot be stored; type or paste it again"))
        )
    return problems
