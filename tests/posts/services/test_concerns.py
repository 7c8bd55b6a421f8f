"""Whom notices about posts and accounts are for: their owner, who may see them, and nobody else."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.core import mail

from posts.services.concerns import concern_of_account, concern_of_job
from posts.services.standing import ask_reconnect, login_works
from queue_app import telling
from queue_app.choices import choose
from queue_app.models import Notice
from tests.posts.making import REJECTED, account, delivery, job_of, sent, user

pytestmark = pytest.mark.django_db(transaction=True)


def reader(name: str, *, sees_all: bool = False, may: tuple[str, ...] = (), kinds: tuple[str, ...] = ()) -> User:
    made = user(name, sees_all=sees_all, may=may)
    User.objects.filter(pk=made.pk).update(email=f"{name}@example.org")
    if kinds:
        choose(made, {"mail": list(kinds)})
    return User.objects.get(pk=made.pk)


def mailed() -> dict[str, str]:
    telling.send_now()
    found = {message.to[0].partition("@")[0]: f"{message.subject}\n{message.body}" for message in mail.outbox}
    mail.outbox.clear()
    return found


def test_a_failed_post_is_told_to_its_owner_and_to_who_sees_all_posts() -> None:
    ada = reader("ada")
    reader("eve", kinds=("failed",))
    reader("boss", sees_all=True, kinds=("failed",))
    found = delivery(sent(account(), outcome=REJECTED, owner=ada, text="Our autumn issue"))
    told = mailed()
    assert sorted(told) == ["ada", "boss"]
    assert "“Our autumn issue” on Ada (Outbox): failed" in told["ada"]
    assert f"/admin/posts/delivery/{found.pk}/change/" in told["ada"]
    assert concern_of_job(job_of(found)).owner_id == ada.pk


def test_an_account_to_reconnect_is_told_to_its_owner_and_that_it_is_over() -> None:
    reader("eve", may=("change_account",), kinds=("reconnect",))
    mine = account("Ada's", owner=reader("ada"))
    assert ask_reconnect(mine, "revoked")
    assert [*mailed()] == ["ada"]
    login_works(mine)
    assert "needs no reconnecting any more" in mailed()["ada"]


def test_an_account_of_everybodys_is_told_to_who_may_mend_it() -> None:
    reader("eve", kinds=("reconnect",))
    reader("mender", may=("change_account",), kinds=("reconnect",))
    shared = account("Shared", owner=None)
    assert ask_reconnect(shared, "revoked")
    assert [*mailed()] == ["mender"]
    assert Notice.objects.get().page == f"/admin/posts/account/{shared.pk}/change/"
    assert concern_of_account(shared).owner_id is None
