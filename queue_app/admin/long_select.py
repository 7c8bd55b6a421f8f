"""A choice among hundreds, such as that of a time zone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.forms.renderers import BaseRenderer
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString


class LongSelect(forms.Select):
    """A select that writes its options itself: Django renders a template for each, which takes longer than a page."""

    def render(
        self, name: str, value: Any, attrs: Mapping[str, Any] | None = None, renderer: BaseRenderer | None = None
    ) -> SafeString:
        """Return the control as Django's own template has it."""
        widget = self.get_context(name, value, dict(attrs or {}))["widget"]
        parts = format_html_join(
            "", "{}", ((_group(label, options),) for label, options, _index in widget["optgroups"])
        )
        return format_html('<select name="{}"{}>{}</select>', widget["name"], flatatt(widget["attrs"]), parts)


def _group(label: str | None, options: Sequence[Mapping[str, Any]]) -> SafeString:
    inside = format_html_join(
        "",
        '<option value="{}"{}>{}</option>',
        ((option["value"], flatatt(option["attrs"]), option["label"]) for option in options),
    )
    return format_html('<optgroup label="{}">{}</optgroup>', label, inside) if label else inside
