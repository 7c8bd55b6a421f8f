"""Give open incidents the keys that they are found by from now on, as far as the page that they lead to names them.

What has no key is found by its subject, as before. An incident that was opened a second time under another name is
closed, and nobody is told that it is over.
"""

import re

from django.db import migrations
from django.utils import timezone

WORDS = {"account": "account", "webhookendpoint": "endpoint", "recurrence": "series"}
PAGE = re.compile(r"/posts/(account|webhookendpoint|recurrence)/(\d+)/change/$")


def fill_keys(apps, schema_editor):
    """Key what is open by the page that it leads to."""
    notices = apps.get_model("queue_app", "Notice").objects.using(schema_editor.connection.alias)
    for notice in notices.filter(job=None, cleared_at=None, key="").exclude(page="").order_by("id"):
        if (found := PAGE.search(notice.page)) is None:
            continue
        key, this = f"{WORDS[found[1]]}:{found[2]}", notices.filter(pk=notice.pk)
        if notices.filter(kind=notice.kind, key=key, job=None, cleared_at=None).exists():
            this.update(cleared_at=timezone.now(), over_addressed_at=timezone.now())
        else:
            this.update(key=key)


class Migration(migrations.Migration):
    dependencies = [("posts", "0011_posts_by_time"), ("queue_app", "0012_keys_of_notices")]

    operations = [migrations.RunPython(fill_keys, migrations.RunPython.noop, elidable=True)]
