"""The fields of a post that the composer's form has. Reads nothing and writes nothing."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from posts.admin.repeat_form import RepeatForm
from posts.admin.wall_time import wall_time_field
from posts.models import ThreadMode
from queue_app.models import PRIORITY_FIRST, PRIORITY_LAST

PRIORITY_WORDS = {2: _("2 – high"), 5: _("5 – normal"), 8: _("8 – low")}


class ComposerForm(RepeatForm):
    """The post's own fields. ``token`` makes a form that is sent twice one post; ``version`` shows who was faster."""

    text = forms.CharField(
        label=_("Text"), required=False, strip=False, widget=forms.Textarea(attrs={"rows": 8, "dir": "auto"})
    )
    thread_mode = forms.ChoiceField(
        label=_("Long text"),
        required=False,
        choices=ThreadMode.choices,
        help_text=_("A line of three dashes splits a thread by hand. Networks without threads get one post."),
    )
    first_comment = forms.CharField(
        label=_("First comment"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 2, "dir": "auto"}),
        help_text=_("Goes below the post, as its first reply, where the network has comments."),
    )
    language = forms.CharField(
        label=_("Language"),
        required=False,
        max_length=35,
        widget=forms.TextInput(attrs={"size": 10, "placeholder": "en"}),
        help_text=_("A code such as en or pt-BR, for screen readers and translation. May stay empty."),
    )
    goes_out = wall_time_field(_("Goes out"), help_text=_("The time on the clocks of the zone below."))
    drop_after = wall_time_field(
        _("Drop if not out by"),
        help_text=_("In the same zone. Empty: a day after it was due. A post never goes out later than this."),
    )
    priority = forms.TypedChoiceField(
        label=_("Priority"),
        coerce=int,
        initial=5,
        choices=[(n, PRIORITY_WORDS.get(n, str(n))) for n in range(PRIORITY_FIRST, PRIORITY_LAST + 1)],
        help_text=_("Which goes first where many are due at once."),
    )
    tags = forms.CharField(
        label=_("Tags"),
        required=False,
        max_length=2000,
        widget=forms.TextInput(attrs={"list": "known-tags", "autocomplete": "off"}),
        help_text=_("Words to sort and find posts by, with commas between them. Nobody outside sees them."),
    )
    token = forms.UUIDField(widget=forms.HiddenInput)
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Mapping[str, Any] | None = None, *, zone: str, **kwargs: Any) -> None:
        super().__init__(data, zone=zone, **kwargs)
        self.fields["token"].initial = uuid.uuid4

    def clean_text(self) -> str:
        """Return the text with the line ends that platforms count, not those of a form."""
        return str(self.cleaned_data["text"]).replace("\r\n", "\n")

    def clean_first_comment(self) -> str:
        """Return the comment with the line ends that platforms count."""
        return str(self.cleaned_data["first_comment"]).replace("\r\n", "\n")

    def moved(self, name: str) -> bool:
        """Return whether the wall time in ``name``, or its zone, is another than the page showed."""
        return name in self.changed_data or "timezone" in self.changed_data
