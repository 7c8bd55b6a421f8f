"""What the page of the import says of each column, and the example file. Renders; reads no rows."""

from __future__ import annotations

import csv
from datetime import timedelta
from io import StringIO

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from posts.admin import zones
from posts.selectors.csv_export import MARK, account_names
from posts.selectors.posts import usable_accounts
from posts.text.csv_cells import COLUMNS, guarded
from queue_app import clock

COLUMN_HELP = (
    ("text", gettext_lazy("What the post says.")),
    (
        "accounts",
        gettext_lazy("Where it goes out: names, numbers, or platform:name, with ; between two."),
    ),
    ("scheduled_at", gettext_lazy("When it goes out, as the clocks show it there: 2027-03-01 09:30.")),
    ("timezone", gettext_lazy("Whose clocks: a name like Europe/Berlin. Empty: yours.")),
    ("status", gettext_lazy("draft or scheduled. Empty: scheduled if there is a time, else a draft.")),
    ("tags", gettext_lazy("Words to sort by, with ; between two.")),
    ("media", gettext_lazy("Files of the media library: names or numbers, with ; between two.")),
    ("alt_text", gettext_lazy("What the file shows; with | between those of two files. Empty: the file's own.")),
    ("first_comment", gettext_lazy("Goes below the post, where a platform can do that.")),
    ("thread", gettext_lazy("split or numbered, to make a thread of a long text.")),
    ("language", gettext_lazy("The language of the text, like en or pt-BR.")),
    ("text[account]", gettext_lazy("The text for one account, named in the brackets, instead of the shared one.")),
)


def example(request: HttpRequest) -> HttpResponse:
    """Return a file to start from, with accounts and times that the person could use."""
    names = account_names(usable_accounts(request.user)[:2])
    accounts = list(names.values()) or ["outbox:Example"]
    own = f"text[{accounts[0]}]"
    zone = zones.zone_of(request.user)
    day = (clock.now() + timedelta(days=7)).strftime("%Y-%m-%d")
    lines = StringIO()
    writer = csv.writer(lines, quoting=csv.QUOTE_ALL)
    columns = [*COLUMNS, own]
    writer.writerow(map(guarded, columns))
    rows = (
        {
            "text": _("Our new opening hours: Monday to Friday, 9 to 17."),
            "accounts": "; ".join(accounts),
            "scheduled_at": f"{day} 09:30",
            "timezone": zone,
            "status": "scheduled",
            "tags": _("news; opening hours"),
            own: _("We are open from 9 to 17!"),
        },
        {"text": _("A draft, to be finished here."), "accounts": accounts[0], "status": "draft"},
    )
    for row in rows:
        writer.writerow(guarded(row.get(column, "")) for column in columns)
    response = HttpResponse(MARK + lines.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="posts-example.csv"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
