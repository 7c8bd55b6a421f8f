from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import migrations, models


class AddIndexOnline(migrations.AddIndex):
    """Builds an index while others go on writing, where the database can do that; in no transaction.

    What a build that broke off has left is useless, and in the way.
    """

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            schema_editor.remove_index(model, self.index, concurrently=True)  # if it exists
            schema_editor.add_index(model, self.index, concurrently=True)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("posts", "0010_chat_addresses"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        AddIndexOnline(
            model_name="post",
            index=models.Index(fields=["owner", "scheduled_at", "id"], name="posts_post_of_owner"),
        ),
        AddIndexOnline(
            model_name="post",
            index=models.Index(fields=["status", "scheduled_at", "id"], name="posts_post_in_status"),
        ),
    ]
