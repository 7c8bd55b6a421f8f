from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("queue_app", "0011_totals")]

    operations = [
        migrations.AddField(
            model_name="notice",
            name="key",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=200),
        ),
        migrations.RemoveConstraint(model_name="notice", name="queue_app_notice_once"),
        migrations.AddConstraint(
            model_name="notice",
            constraint=models.UniqueConstraint(
                condition=Q(("cleared_at__isnull", True), ("job", None)) & ~Q(("key", "")),
                fields=("kind", "key"),
                name="queue_app_notice_key_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="notice",
            constraint=models.UniqueConstraint(
                condition=Q(("cleared_at__isnull", True), ("job", None), ("key", "")),
                fields=("kind", "subject"),
                name="queue_app_notice_once",
            ),
        ),
    ]
