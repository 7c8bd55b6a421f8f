"""An account on a platform, with its credentials sealed."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from posts.publishing import registry


class Account(models.Model):
    """Somebody's account on one network. Credentials are ciphertext here; ``posts.credentials`` opens them.

    ``identity_id`` is the platform's permanent id: reconnecting as another one is refused.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("owner")
    )
    platform = models.CharField(_("platform"), max_length=40, db_index=True)
    name = models.CharField(_("name"), max_length=200)
    identity_id = models.CharField(_("identity"), max_length=200)
    config = models.JSONField(_("settings of the platform"), default=dict, blank=True)
    enabled = models.BooleanField(_("enabled"), default=True)

    sealed_credentials = models.TextField(editable=False, blank=True)
    key_fingerprint = models.CharField(_("encryption key"), max_length=16, editable=False, blank=True)
    credentials_version = models.PositiveIntegerField(default=0, editable=False)
    credentials_expire_at = models.DateTimeField(_("access ends"), null=True, blank=True, editable=False)
    # When the housekeeping renews the login, ahead of its end; empty where there is nothing to renew.
    refresh_at = models.DateTimeField(null=True, blank=True, editable=False, db_index=True)
    renewable_until = models.DateTimeField(_("can be renewed until"), null=True, blank=True, editable=False)
    scopes = models.JSONField(_("granted"), default=list, blank=True, editable=False)
    checked_at = models.DateTimeField(_("tested"), null=True, blank=True, editable=False)
    refresh_fence = models.PositiveIntegerField(default=0, editable=False)
    refresh_lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    reconnect_reason = models.CharField(_("must be reconnected because"), max_length=100, blank=True, editable=False)

    signature = models.TextField(_("signature"), blank=True, help_text=_("Put below every text for this account."))
    variables = models.JSONField(_("variables"), default=dict, blank=True)
    utm = models.JSONField(_("UTM parameters"), default=dict, blank=True)
    slots_timezone = models.CharField(_("time zone of the slots"), max_length=64, blank=True, db_default="")

    created_at = models.DateTimeField(_("connected"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        ordering = ["platform", "name"]
        constraints = [
            models.UniqueConstraint(fields=["platform", "identity_id"], name="posts_account_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.platform_label})"

    @property
    def platform_label(self) -> str:
        """The platform's name for people; its own word where this site does not know it."""
        platform = registry.platforms().get(self.platform)
        return platform.label if platform is not None else self.platform

    @property
    def block_key(self) -> str:
        """The queue's key under which this account's jobs are blocked."""
        return f"account:{self.pk}"


class AppRegistration(models.Model):
    """This site as an app at one server that hands out ids by itself (a Mastodon instance). Sealed: it has a secret."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    platform = models.CharField(max_length=40)
    key = models.CharField(max_length=500)
    sealed = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["platform", "key"], name="posts_app_once")]

    def __str__(self) -> str:
        return f"{self.platform} at {self.key}"


class PendingLogin(models.Model):
    """A login in the browser that a person has begun: bound to that person, used once, over after a quarter hour.

    ``sealed`` has what must not be read: PKCE's secret, then the tokens until the person has chosen what to connect.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    platform = models.CharField(max_length=40)
    account = models.ForeignKey(Account, models.CASCADE, null=True, related_name="+")
    state_hash = models.CharField(max_length=64, unique=True)
    returned = models.BooleanField(default=False)
    sealed = models.TextField()
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.platform} login of {self.user_id}"
