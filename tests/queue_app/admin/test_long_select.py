from __future__ import annotations

import pytest
from django import forms
from django.test.html import parse_html

from queue_app.admin.long_select import LongSelect
from queue_app.zones import zone_choices

HOSTILE = [("<b>", "<i>'\"&"), ("a", [('"x', "</select>")])]


@pytest.mark.parametrize("choices", [zone_choices(), HOSTILE, []], ids=["zones", "hostile", "none"])
@pytest.mark.parametrize("value", ["Europe/Berlin", "UTC", "<b>", '"x', None, "nowhere"])
@pytest.mark.parametrize("attrs", [{}, {"id": "id_zone", "disabled": True, "required": False, "title": '"'}])
def test_is_the_control_that_djangos_own_templates_make(
    choices: object, value: object, attrs: dict[str, object]
) -> None:
    ours, theirs = (kind(choices=choices).render("zone", value, attrs) for kind in (LongSelect, forms.Select))  # type: ignore[arg-type]
    assert parse_html(ours) == parse_html(theirs)
