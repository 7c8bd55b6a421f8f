import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Only loosens: on PostgreSQL both are changes of the catalogue, no row is read or written."""

    dependencies = [
        ("queue_app", "0008_tallies"),
    ]

    operations = [
        migrations.AlterField(
            model_name="event",
            name="job",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="events",
                to="queue_app.job",
            ),
        ),
        migrations.AlterField(
            model_name="event",
            name="name",
            field=models.CharField(
                choices=[
                    ("job_added", "added"),
                    ("status_updated", "changed"),
                    ("job_completed", "completed"),
                    ("job_failed", "failed"),
                    ("job_cancelled", "cancelled"),
                ],
                max_length=100,
                verbose_name="event",
            ),
        ),
    ]
