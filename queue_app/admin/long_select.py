"""A choice among hundreds, such as that of a time zone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from django import forms
from django.forms.renderers import BaseRenderer
from django.forms.utils import flatatt
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe


class LongSelect(forms.Select):
    """A select that writes its options itself, the same ones once: Django renders a template for each, which takes
    longer than a page."""

    def render(
        self, name: str, value: Any, attrs: Mapping[str, Any] | None = None, renderer: BaseRenderer | None = None
    ) -> SafeString:
        """Return the control as Django's own template has it."""
        widget = forms.Widget.get_context(self, name, value, dict(attrs or {}))["widget"]
        options: str = _options(_frozen(self.choices))
        for chosen in widget["value"]:
            option = f'<option value="{escape(chosen)}"'
            options = options.replace(option, option + flatatt({"selected": True}), 1)
        # What was put in is escaped.
        inside = mark_safe(options)  # noqa: S308
        return format_html('<select name="{}"{}>{}</select>', widget["name"], flatatt(widget["attrs"]), inside)


def _frozen(choices: Iterable[Any]) -> tuple[Any, ...]:
    """Return choices, in groups or not, as texts."""
    return tuple(
        (str(value), _frozen(label) if isinstance(label, list | tuple) else str(label)) for value, label in choices
    )


@lru_cache(maxsize=32)
def _options(choices: tuple[Any, ...]) -> SafeString:
    """Return the options of ``_frozen`` choices; none is chosen."""
    return format_html_join("", "{}", ((_option(*choice),) for choice in choices))


def _option(value: str, label: Any) -> SafeString:
    if isinstance(label, str):
        return format_html('<option value="{}">{}</option>', value, label)
    inside = _options(label)
    return format_html('<optgroup label="{}">{}</optgroup>', value, inside) if value else inside
