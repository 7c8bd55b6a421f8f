from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from posts import conf as posts_conf
from posts.publishing import registry
from queue_app import conf as queue_conf
from socialq_site import environment

SECRET = "s3cr3t"


def read(**values: str) -> dict[str, Any]:
    return environment.read_tables(values, queue_conf.SETTINGS, posts_conf.SETTINGS, others=("SOCIALQ_ADMIN_PASSWORD",))


def test_every_setting_has_its_default_when_nothing_is_set() -> None:
    assert read() == {
        key: setting.default for table in (queue_conf.SETTINGS, posts_conf.SETTINGS) for key, setting in table.items()
    }


@pytest.mark.parametrize(
    ("name", "text", "key", "value"),
    [
        ("SOCIALQ_WORKERS", "2", "WORKERS", 2),
        ("SOCIALQ_WORKERS", " 2 ", "WORKERS", 2),
        ("SOCIALQ_WORKERS", "", "WORKERS", 4),
        ("SOCIALQ_CHECK_INTERVAL_SECONDS", "0.25", "CHECK_INTERVAL_SECONDS", 0.25),
        ("SOCIALQ_ALLOW_PRIVATE_NETWORKS", "true", "ALLOW_PRIVATE_NETWORKS", True),
        ("SOCIALQ_ALLOW_PRIVATE_NETWORKS", "No", "ALLOW_PRIVATE_NETWORKS", False),
        ("SOCIALQ_ENABLED_PLATFORMS", "outbox, telegram,", "ENABLED_PLATFORMS", ["outbox", "telegram"]),
        ("SOCIALQ_FAILPOINTS", "after_mark=kill", "FAILPOINTS", "after_mark=kill"),
        ("QUEUE_JOB_TIMEOUT_MINUTES", "2", "JOB_TIMEOUT_SECONDS", 120),
        ("QUEUE_RETRY_BASE_DELAY", "10", "RETRY_BASE_DELAY_SECONDS", 10),
        ("QUEUE_RETRY_MULTIPLIER", "1.5", "RETRY_MULTIPLIER", 1.5),
        ("QUEUE_CLEANUP_AFTER_DAYS", "30", "PURGE_AFTER_DAYS", 30),
        ("QUEUE_MAX_RETRIES", "0", "MAX_RETRIES", 0),
    ],
)
def test_a_value_takes_its_defaults_type_and_unit(name: str, text: str, key: str, value: object) -> None:
    result = read(**{name: text})[key]
    assert (result, type(result)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("SOCIALQ_WORKERS", "four", "a whole number, 0 or more"),
        ("SOCIALQ_WORKERS", "-1", "a whole number, 0 or more"),
        ("QUEUE_JOB_TIMEOUT_MINUTES", "1.5", "a whole number, 0 or more"),
        ("QUEUE_RETRY_MULTIPLIER", "nan", "a number, 0 or more"),
        ("QUEUE_RETRY_MULTIPLIER", "inf", "a number, 0 or more"),
        ("SOCIALQ_OUTBOX_PUBLIC", "maybe", "true or false"),
    ],
)
def test_a_malformed_value_is_named_shown_and_explained(name: str, text: str, expected: str) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        read(**{name: text})
    assert str(caught.value) == f'{name} is "{text}"; expected {expected}'


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("SOCIALQ_WORKRS", "SOCIALQ_WORKERS"),
        ("SOCIALQ_MAX_RETRIES", "QUEUE_MAX_RETRIES"),
        ("SOCIALQ_SITE_URL", "SITE_URL"),
        ("SOCIALQ_ADMIN_PASWORD", "SOCIALQ_ADMIN_PASSWORD"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_known_one(name: str, near: str) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        read(**{name: SECRET})
    assert str(caught.value) == f"{name} is not a setting; did you mean {near}?"


def test_every_unknown_name_is_told_at_once() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"SOCIALQ_ABCXYZ is .* SOCIALQ_WORKRS is "):
        read(SOCIALQ_WORKRS="1", SOCIALQ_ABCXYZ="1")


def test_names_of_other_programs_are_left_alone() -> None:
    read(PATH="/bin", QUEUE_OF_ANOTHER_PROGRAM="1", SOCIALQ_ADMIN_PASSWORD=SECRET)


def test_the_first_source_that_has_a_name_wins(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# a comment\n\nA=file\nexport B='file'\n  C=\"file\"\n")
    (tmp_path / "secrets.env").write_text("B=secrets\nD=$ecret$\n")
    variables = {"A": "real"}
    values = environment.load(variables, tmp_path / ".env", tmp_path / "secrets.env", tmp_path / "absent.env")
    assert values == {"A": "real", "B": "file", "C": "file", "D": "$ecret$"}
    assert variables == {"A": "real"}


def test_a_line_that_is_no_setting_is_named_by_number_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"A=1\nSECRET_KEY: {SECRET}\n")
    with pytest.raises(ImproperlyConfigured) as caught:
        environment.load({}, tmp_path / ".env")
    assert str(caught.value) == f"{tmp_path / '.env'}, line 2: expected NAME=value or a # comment"


@pytest.mark.parametrize(
    "text",
    [
        f"mysql://me:{SECRET}@db/name",
        f"postgres://me:{SECRET}@db:port/name",
        f"postgres://me:{SECRET}@db",
        f"me:{SECRET}@db/name",
        f"sqlite://{SECRET}",
        f"postgres://me:{SECRET}@db/name?pool=true",
        f"postgres://me:{SECRET}@db/name?prepare_threshold=often",
    ],
)
def test_a_malformed_database_url_is_explained_without_its_password(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^DATABASE_URL ") as caught:
        environment.database(text, Path("/srv"))
    assert SECRET not in str(caught.value)


def test_a_relative_sqlite_path_begins_at_the_project() -> None:
    assert environment.database("sqlite:///var/a.sqlite3", Path("/srv"))["NAME"] == "/srv/var/a.sqlite3"
    assert environment.database("sqlite:////data/a.sqlite3", Path("/srv"))["NAME"] == "/data/a.sqlite3"


@pytest.mark.parametrize(("given", "threshold"), [("2", 2), ("None", None)])
def test_a_postgresql_url_says_when_plans_are_kept(given: str, threshold: int | None) -> None:
    config = environment.database(f"postgres://me@db/name?prepare_threshold={given}", Path("/srv"))
    assert config["OPTIONS"] == {"prepare_threshold": threshold}


def test_a_postgresql_url_gives_its_parts() -> None:
    config = environment.database("postgres://me:p%40ss@db:5433/name?sslmode=require", Path("/srv"))
    assert config == {
        "ENGINE": "django.db.backends.postgresql",
        "USER": "me",
        "PASSWORD": "p@ss",
        "HOST": "db",
        "PORT": 5433,
        "NAME": "name",
        "OPTIONS": {"sslmode": "require", "prepare_threshold": environment.PREPARE_THRESHOLD},
    }


def test_a_malformed_email_url_is_explained_without_its_password() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^EMAIL_URL ") as caught:
        environment.email(f"mail://me:{SECRET}@host")
    assert SECRET not in str(caught.value)


def test_an_email_url_gives_djangos_settings() -> None:
    config = environment.email("smtp+tls://me:word@mail.example.org:587")
    assert (config["EMAIL_HOST"], config["EMAIL_PORT"]) == ("mail.example.org", 587)
    assert config["EMAIL_USE_TLS"]


@pytest.mark.parametrize(
    "text", ["social.example.org", "ftp://a", "https://", "https://a/path", "https://a:port", "https://a?b=c"]
)
def test_a_malformed_site_url_is_shown_and_explained(text: str) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        environment.site_url(text)
    assert str(caught.value).startswith(f'SITE_URL is "{text}"; expected an address like https://')


def test_a_password_in_the_site_url_is_not_shown() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^SITE_URL ") as caught:
        environment.site_url(f"https://me:{SECRET}@social.example.org")
    assert SECRET not in str(caught.value)


def test_a_site_url_loses_its_closing_slash() -> None:
    assert environment.site_url("https://social.example.org:8443/") == "https://social.example.org:8443"


def test_people_are_read_with_and_without_names() -> None:
    assert environment.people("ADMINS", "Ann Lee <ann@example.org>, bob@example.org") == [
        ("Ann Lee", "ann@example.org"),
        ("", "bob@example.org"),
    ]
    assert environment.people("ADMINS", " ") == []
    with pytest.raises(ImproperlyConfigured, match=r"^ADMINS is "):
        environment.people("ADMINS", "ann")


def test_the_example_file_names_every_setting() -> None:
    text = (environment.ROOT / ".env.example").read_text()
    for table in (queue_conf.SETTINGS, posts_conf.SETTINGS):
        for key, setting in table.items():
            if key != "FAILPOINTS":
                assert f"\n#{setting.env or 'SOCIALQ_' + key}=" in text


def test_files_lie_in_a_folder_unless_a_bucket_is_named() -> None:
    assert environment.storages({})["default"] == {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    found = environment.storages({"BUCKET": "files", "REGION": "eu-central-1"})["default"]
    assert found["BACKEND"] == environment.S3_BACKEND
    assert found["OPTIONS"] == {
        "bucket_name": "files",
        "region_name": "eu-central-1",
        "file_overwrite": True,
        "max_memory_size": 5_000_000,
        "default_acl": None,
    }
    own = environment.storages({"BUCKET": "files", "ENDPOINT": "https://minio.example.org", "SECRET_KEY": SECRET})
    assert own["default"]["OPTIONS"]["addressing_style"] == "path"
    assert own["default"]["OPTIONS"]["secret_key"] == SECRET


def test_a_key_without_a_bucket_is_a_mistake_that_shows_no_key() -> None:
    with pytest.raises(
        ImproperlyConfigured, match=r"^SOCIALQ_S3_BUCKET is not set, but SOCIALQ_S3_SECRET_KEY is"
    ) as caught:
        environment.storages({"SECRET_KEY": SECRET})
    assert SECRET not in str(caught.value)


def test_the_example_file_names_the_settings_of_s3() -> None:
    text = (environment.ROOT / ".env.example").read_text()
    for name in environment.S3_OPTIONS:
        assert f"\n#SOCIALQ_S3_{name}=" in text


def test_the_example_file_names_every_setting_of_a_platform() -> None:
    text = (environment.ROOT / ".env.example").read_text()
    for name, platform in registry.platforms().items():
        own = [field.name.upper() for field in platform.app_settings]
        app = ["CLIENT_ID", "CLIENT_SECRET"] if platform.oauth is not None and platform.needs_app else []
        for setting in app + own:
            assert f"\n#SOCIALQ_{name.upper()}_{setting}=" in text


def test_a_platforms_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    known = {"x": ["CLIENT_ID", "CLIENT_SECRET", "API_BASE"]}
    values = {"SOCIALQ_X_CLIENT_ID": "1", "SOCIALQ_X_CLIENT_SECRET_FILE": str(secret)}
    assert environment.read_platforms(values, known) == {"x": {"CLIENT_ID": "1", "CLIENT_SECRET": "s3cret"}}
    assert set(values) <= set(environment.platform_names(known))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"SOCIALQ_X_CLIENT_SECRET": "a", "SOCIALQ_X_CLIENT_SECRET_FILE": "/b"}, "both set"),
        ({"SOCIALQ_X_CLIENT_SECRET_FILE": "/no/such/file"}, "cannot be read"),
        ({"SOCIALQ_X_API_BASE": "api.x.com"}, "https://api.example.org"),
    ],
)
def test_a_platforms_setting_that_cannot_be_meant_is_said(values: dict[str, str], words: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=words) as caught:
        environment.read_platforms(values, {"x": ["CLIENT_SECRET", "API_BASE"]})
    assert values.get("SOCIALQ_X_CLIENT_SECRET", "-") not in str(caught.value).replace("SOCIALQ", "").split()


def test_a_secret_may_lie_in_a_file_which_wins_over_the_made_secrets(tmp_path: Path) -> None:
    secret, made = tmp_path / "secret", tmp_path / "made.env"
    secret.write_text("s3cret\n")
    made.write_text("SECRET_KEY=made\nSOCIALQ_ENCRYPTION_KEYS=made\n")
    given = environment.read_secret_files({"SECRET_KEY_FILE": str(secret), "PORT": "1"})
    values = environment.read_secret_files(environment.load(given, made))
    assert values == {"SECRET_KEY": "s3cret", "PORT": "1", "SOCIALQ_ENCRYPTION_KEYS": "made"}
    with pytest.raises(ImproperlyConfigured, match="both set"):
        environment.read_secret_files({**values, "SECRET_KEY_FILE": str(secret)})
