"""Whom a notice about posts or an account is for, and the page that it leads to. Reads only."""

from __future__ import annotations

from django.urls import NoReverseMatch, reverse

from posts.models import Account, Delivery, Recurrence, WebhookEndpoint
from posts.selectors.events import MANAGE_ALL
from posts.selectors.posts import SEE_ALL
from queue_app.models import Job
from queue_app.notices import EVERYBODY_WHO_WATCHES, Concern

# Of an account that is everybody's, whoever may reconnect it is told.
MENDS_ACCOUNTS = "posts.change_account"


def concern_of_job(job: Job) -> Concern:
    """Return whom a publish job concerns: the post's owner, and who may see everybody's posts."""
    delivery = Delivery.objects.select_related("post").filter(pk=job.args.get("delivery_id")).first()
    if delivery is None:
        return EVERYBODY_WHO_WATCHES
    return Concern(delivery.post.owner_id, SEE_ALL, _page("delivery", delivery.pk))


def concern_of_account(account: Account) -> Concern:
    """Return whom an account concerns: its owner and who may see everybody's, or whoever may mend a shared one."""
    permission = MENDS_ACCOUNTS if account.owner_id is None else SEE_ALL
    return Concern(account.owner_id, permission, _page("account", account.pk))


def concern_of_series(recurrence: Recurrence) -> Concern:
    """Return whom a series concerns: its owner, and who may see everybody's posts."""
    return Concern(recurrence.owner_id, SEE_ALL, _page("recurrence", recurrence.pk))


def concern_of_endpoint(endpoint: WebhookEndpoint) -> Concern:
    """Return whom a webhook to a program concerns: its owner, and who may manage everybody's."""
    return Concern(endpoint.owner_id, MANAGE_ALL, _page("webhookendpoint", endpoint.pk))


def _page(model: str, pk: int) -> str:
    try:
        return reverse(f"admin:posts_{model}_change", args=[pk])
    except NoReverseMatch:  # a host without the admin, or without that page
        return ""
