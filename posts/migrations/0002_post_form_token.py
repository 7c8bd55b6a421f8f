from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("posts", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="post",
            name="form_token",
            field=models.UUIDField(editable=False, null=True, unique=True),
        ),
    ]
