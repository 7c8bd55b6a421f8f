"""The publish job: the three steps, the mark, and every row of the error table before and after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from posts.models import Account, Delivery, DeliveryStatus, Post, PostStatus
from posts.publishing import errors, registry
from posts.publishing.capabilities import Capabilities, ImageLimits, TextLimit
from posts.publishing.platform import Checkpoints, Platform, Session
from posts.publishing.types import Absent, CannotTell, Config, Connection, Content, Finding, Found, Identity, Published
from posts.selectors.deliveries import explanation
from posts.services import accounts
from posts.services.posts import schedule_post
from posts.services.sessions import store_credentials
from queue_app import clock, rescue, runner
from queue_app.explain import explain
from queue_app.models import Attempt, Block, BlockKind, Job, Notice
from queue_app.states import JobState

pytestmark = pytest.mark.django_db(transaction=True)

LIVE = Published("id-1", "https://a.example/1", {"ok": True})
SECRET = "token-canary"


class FakeNetwork(Platform):
    """A network whose steps answer what a test puts into ``answers``: a value, or an error to raise."""

    name = "fake"
    label = "Fake"
    capabilities = Capabilities((TextLimit("graphemes", 100),), 4, ImageLimits(1_000_000, 2000))
    refreshes = True

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.answers: dict[str, list[Any]] = {}
        self.uploads = 0
        self.safe = False

    def repeats_safely(self, config: Config) -> bool:
        return self.safe

    def connect(self, session: Session, answers: Mapping[str, str]) -> Connection:
        return Connection(Identity("fake-1", "Ada"), {"token": SECRET, "refresh": "refresh-1"})

    def check(self, session: Session) -> Connection:
        return self.connect(session, {})

    def refresh(self, session: Session) -> Connection:
        self.calls.append("refresh")
        self._answer("refresh", None)
        return Connection(Identity("fake-1", "Ada"), {"token": f"{SECRET}-2", "refresh": "refresh-2"})

    def prepare(self, session: Session, content: Content, checkpoints: Checkpoints) -> dict[str, Any]:
        self.calls.append("prepare")
        upload = checkpoints.once("upload", self._upload)
        self._answer("prepare", None)
        return {"text": content.text, "upload": upload["n"]}

    def commit(self, session: Session, snapshot: dict[str, Any]) -> Published:
        self.calls.append(f"commit {snapshot['text']}")
        return self._answer("commit", LIVE)

    def find(self, session: Session, snapshot: dict[str, Any], marked_at: datetime) -> Finding:
        self.calls.append("find")
        return self._answer("find", Absent())

    def _upload(self) -> dict[str, Any]:
        self.uploads += 1
        return {"n": self.uploads}

    def _answer(self, step: str, default: Any) -> Any:
        waiting = self.answers.get(step, [])
        answer = waiting.pop(0) if waiting else default
        if isinstance(answer, BaseException):
            raise answer
        return answer


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[FakeNetwork]:
    fake = FakeNetwork()
    monkeypatch.setitem(registry._registered, "fake", fake)
    monkeypatch.setattr(runner, "_worker", None)
    settings.SOCIALQ = {**settings.SOCIALQ, "ENABLED_PLATFORMS": ["fake"]}
    yield fake
    clock.set_offset(timedelta(0))


@pytest.fixture
def delivery(network: FakeNetwork) -> Delivery:
    """A delivery of a scheduled post, due now."""
    account = Account(platform="fake", name="Ada", identity_id="fake-1")
    store_credentials(account, network.connect(None, {}))  # type: ignore[arg-type]  # the fake asks nobody
    account.save()
    post = Post.objects.create(text="Hello", status=PostStatus.DRAFT)
    made = Delivery.objects.create(post=post, account=account)
    schedule_post(post, at=clock.now())
    made.refresh_from_db()
    return made


def run() -> int:
    return runner.run_due("default", "tests")


def test_a_secret_of_digits_does_not_break_an_answer_with_such_a_number(
    network: FakeNetwork, delivery: Delivery
) -> None:
    store_credentials(delivery.account, Connection(Identity("fake-1", "Ada"), {"token": SECRET, "pin": "123456"}))
    delivery.account.save()
    said = {"number": 1234567, SECRET: [f"it is {SECRET}"]}
    network.answers["commit"] = [Published("id-1", "https://a.example/1", said)]
    run()
    delivery.refresh_from_db()
    assert delivery.status == DeliveryStatus.PUBLISHED
    assert delivery.response == {"number": 1234567, "[secret]": ["it is [secret]"]}


def later(seconds: float) -> None:
    clock.set_offset(clock._offset + timedelta(seconds=seconds))


def now_of(delivery: Delivery) -> tuple[Delivery, Job]:
    delivery = Delivery.objects.select_related("job", "post", "account").get(pk=delivery.pk)
    assert delivery.job is not None
    return delivery, delivery.job


def test_a_delivery_is_prepared_marked_and_sent_once(network: FakeNetwork, delivery: Delivery) -> None:
    assert delivery.status == DeliveryStatus.SCHEDULED
    run()
    delivery, job = now_of(delivery)
    assert network.calls == ["prepare", "commit Hello"]
    assert (delivery.status, delivery.url, delivery.platform_post_id) == ("published", LIVE.url, LIVE.id)
    assert delivery.published_at == job.finished_at
    assert delivery.snapshot == {"parts": [{"text": "Hello", "upload": 1}]}
    assert delivery.post.status == PostStatus.PUBLISHED
    reasons = list(job.events.values_list("reason", flat=True))
    assert reasons == ["", "", "marked", ""]


BEFORE = "prepare"
AFTER = "commit"


@pytest.mark.parametrize("step", [BEFORE, AFTER])
@pytest.mark.parametrize(
    ("error", "state", "status", "reason"),
    [
        (errors.Unreachable(host="a"), "pending", "scheduled", "retry"),
        (errors.Temporary(status_code=503, host="a"), "pending", "scheduled", "retry"),
        (errors.ContentRejected("content_rejected", field="text"), "failed", "failed", "content_rejected"),
    ],
)
def test_a_documented_refusal_is_the_same_before_and_after_the_mark(
    network: FakeNetwork,
    delivery: Delivery,
    step: str,
    error: errors.PublishError,
    state: str,
    status: str,
    reason: str,
) -> None:
    network.answers[step] = [error]
    run()
    delivery, job = now_of(delivery)
    assert (job.state, delivery.status, job.reason, job.marked_at) == (state, status, reason, None)
    attempt = Attempt.objects.get(job=job)
    assert (attempt.error_class, attempt.code) == (type(error).__name__, error.code)
    assert attempt.message
    assert attempt.traceback == ""


def test_a_site_has_posts_tried_again_as_it_likes(
    network: FakeNetwork, settings: Any, request: pytest.FixtureRequest
) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "RETRIES": {"posts.publish": "10m 10m 10m"}}
    delivery = request.getfixturevalue("delivery")
    network.answers["prepare"] = [errors.Temporary(host="a")]
    run()
    _delivery, job = now_of(delivery)
    assert (job.state, job.attempts, job.max_attempts) == ("pending", 1, 4)
    assert timedelta(seconds=590) < job.run_at - clock.now() <= timedelta(seconds=600)


def test_a_platforms_delay_is_honoured(network: FakeNetwork, delivery: Delivery) -> None:
    network.answers["prepare"] = [errors.Temporary(retry_after_seconds=5000, host="a")]
    run()
    assert now_of(delivery)[1].run_at - clock.now() > timedelta(seconds=4900)


@pytest.mark.parametrize("step", [BEFORE, AFTER])
@pytest.mark.parametrize(("scope", "key"), [("account", "account:{pk}"), ("app", "platform:fake")])
def test_a_rate_limit_blocks_its_key_and_uses_no_attempt(
    network: FakeNetwork, delivery: Delivery, step: str, scope: Any, key: str
) -> None:
    until = clock.now() + timedelta(minutes=10)
    network.answers[step] = [errors.RateLimited(until=until, scope=scope)]
    run()
    delivery, job = now_of(delivery)
    block = Block.objects.get()
    assert block.key == key.format(pk=delivery.account_id)
    assert (block.kind, block.until) == (BlockKind.RATE_LIMIT, until)
    assert (job.state, job.parked_by, job.attempts, delivery.status) == ("pending", block.key, 0, "scheduled")
    assert explanation(delivery).endswith(f"{until:%H:%M} (UTC).")


@pytest.mark.parametrize("until", [datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)])
def test_an_absurd_rate_limit_is_kept_within_a_day(network: FakeNetwork, delivery: Delivery, until: datetime) -> None:
    network.answers["commit"] = [errors.RateLimited(until=until)]
    run()
    block = Block.objects.get()
    assert block.until is not None
    assert timedelta(0) < block.until - clock.now() <= timedelta(hours=24)


@pytest.mark.parametrize("step", [BEFORE, AFTER])
def test_an_expired_token_is_refreshed_once_and_the_post_goes_out(
    network: FakeNetwork, delivery: Delivery, step: str
) -> None:
    network.answers[step] = [errors.TokenExpired(status_code=401)]
    assert run() == 2
    delivery, job = now_of(delivery)
    assert network.calls.count("refresh") == 1
    assert network.uploads == 1
    assert (delivery.status, job.attempts) == ("published", 1)


def test_a_worker_that_dies_while_it_refreshes_after_the_mark_leaves_a_job_that_can_be_looked_up(
    network: FakeNetwork, delivery: Delivery
) -> None:
    network.answers = {"commit": [errors.TokenExpired(status_code=400)], "refresh": [KeyboardInterrupt()]}
    network.safe = True
    with pytest.raises(KeyboardInterrupt):
        run()
    delivery, job = now_of(delivery)
    assert job.marked_at is not None
    assert delivery.snapshot is not None
    assert rescue.take_from_lost_worker(job)
    later(10)
    run()
    delivery, job = now_of(delivery)
    assert network.calls.count("find") == 1
    assert delivery.status == "published"


@pytest.mark.parametrize("step", [BEFORE, AFTER])
def test_a_token_refused_after_its_refresh_asks_for_reconnecting(
    network: FakeNetwork, delivery: Delivery, step: str
) -> None:
    network.answers[step] = [errors.TokenExpired(status_code=401)] * 3
    run()
    delivery, job = now_of(delivery)
    assert network.calls.count("refresh") == 1
    assert delivery.account.reconnect_reason == "token_expired"
    assert (job.state, delivery.status, job.attempts) == ("pending", "scheduled", 0)


@pytest.mark.parametrize("step", [BEFORE, AFTER])
def test_revoked_access_waits_for_reconnecting_with_one_alert_and_then_goes_on(
    network: FakeNetwork, delivery: Delivery, step: str
) -> None:
    network.answers[step] = [errors.ReconnectNeeded(status_code=401)]
    run()
    delivery, job = now_of(delivery)
    assert (job.state, job.parked_by) == ("pending", delivery.account.block_key)
    assert Block.objects.get().kind == BlockKind.RECONNECT
    assert Notice.objects.get().kind == "reconnect"
    run()
    accounts.reconnect_account(delivery.account, {})
    assert run() == 1
    delivery, job = now_of(delivery)
    assert (delivery.status, job.attempts) == ("published", 1)
    assert Notice.objects.get().cleared_at is not None


def test_no_answer_is_looked_up_and_found(network: FakeNetwork, delivery: Delivery) -> None:
    network.answers = {"commit": [errors.OutcomeUnknown()], "find": [Found(LIVE)]}
    run()
    delivery, job = now_of(delivery)
    assert (job.state, delivery.status, delivery.post.status) == ("uncertain", "needs_review", "needs_review")
    later(11)
    run()
    delivery, job = now_of(delivery)
    assert (delivery.status, delivery.url, delivery.post.status) == ("published", LIVE.url, "published")
    assert network.calls.count("commit Hello") == 1


def test_an_unexpected_error_is_retried_before_the_mark(network: FakeNetwork, delivery: Delivery) -> None:
    network.answers["prepare"] = [ValueError(f"bug with {SECRET}")]
    run()
    delivery, job = now_of(delivery)
    assert (job.state, job.reason) == ("pending", "retry")
    attempt = Attempt.objects.get(job=job)
    assert attempt.error_class == "ValueError"
    assert SECRET not in attempt.message + attempt.traceback + job.last_error


def test_an_unexpected_error_is_uncertain_after_the_mark(network: FakeNetwork, delivery: Delivery) -> None:
    network.answers["commit"] = [ValueError("bug")]
    run()
    assert now_of(delivery)[1].state == JobState.UNCERTAIN


def test_absence_counts_where_a_repeat_is_safe_and_sends_the_same_snapshot(
    network: FakeNetwork, delivery: Delivery
) -> None:
    network.safe = True
    network.answers["commit"] = [errors.OutcomeUnknown()]
    run()
    later(11)
    run()
    delivery, _job = now_of(delivery)
    assert network.calls == ["prepare", "commit Hello", "find", "commit Hello"]
    assert (delivery.status, network.uploads) == ("published", 1)


def test_an_error_before_a_repeat_keeps_the_snapshot_of_the_send_before(
    network: FakeNetwork, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    network.safe = True
    network.answers["commit"] = [errors.OutcomeUnknown()]
    run()
    with monkeypatch.context() as patch:
        patch.setattr(accounts, "ensure_fresh", lambda account: (_ for _ in ()).throw(errors.Unreachable(host="a")))
        later(11)
        run()
    assert now_of(delivery)[1].reason == "retry"
    later(130)
    run()
    assert network.calls == ["prepare", "commit Hello", "find", "commit Hello"]


def test_an_error_of_no_known_kind_after_the_mark_is_uncertain(network: FakeNetwork, delivery: Delivery) -> None:
    network.answers["commit"] = [errors.PublishError("made_up")]
    run()
    assert now_of(delivery)[1].state == JobState.UNCERTAIN


def test_absence_proves_nothing_where_a_repeat_is_not_safe(network: FakeNetwork, delivery: Delivery) -> None:
    network.answers["commit"] = [errors.OutcomeUnknown()]
    run()
    later(11)
    run()
    delivery, job = now_of(delivery)
    assert (job.state, job.reason) == ("uncertain", "absence_proves_nothing")
    assert job.needs_review_at is not None
    assert network.calls.count("commit Hello") == 1


def test_absence_counts_once_the_platforms_answers_have_settled(
    network: FakeNetwork, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeNetwork, "settle_seconds", 60)
    network.answers["commit"] = [errors.OutcomeUnknown()]
    run()
    later(11)
    run()
    assert now_of(delivery)[1].state == "uncertain"
    later(61)
    run()
    assert now_of(delivery)[0].status == "published"


def test_an_answer_that_may_never_be_repeated_is_left_to_a_person(
    network: FakeNetwork, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeNetwork, "settle_seconds", 60)
    monkeypatch.setattr(FakeNetwork, "never_repeated", frozenset({"outcome_unknown"}))
    network.answers["commit"] = [errors.OutcomeUnknown()]
    run()
    later(11)
    run()
    assert now_of(delivery)[1].needs_review_at is None
    later(61)
    run()
    _, job = now_of(delivery)
    assert (job.state, job.reason) == ("uncertain", "absence_proves_nothing")
    assert job.needs_review_at is not None
    assert network.calls.count("commit Hello") == 1


def test_a_network_without_read_back_asks_a_person(network: FakeNetwork, delivery: Delivery) -> None:
    network.answers = {"commit": [errors.OutcomeUnknown()], "find": [CannotTell("no_read_back")]}
    run()
    later(11)
    run()
    _, job = now_of(delivery)
    assert (job.state, job.reason) == ("uncertain", "no_read_back")
    assert "has no way to look up whether the post is live" in explain(job).text
    assert Notice.objects.get().kind == "needs_review"


def test_a_look_up_refreshes_an_expired_token_and_looks_again(network: FakeNetwork, delivery: Delivery) -> None:
    network.answers = {"commit": [errors.OutcomeUnknown()], "find": [errors.TokenExpired(), Found(LIVE)]}
    run()
    later(11)
    run()
    assert now_of(delivery)[0].status == "published"
    assert network.calls.count("refresh") == 1


def test_checkpoints_survive_a_retry_and_go_when_the_text_changes(network: FakeNetwork, delivery: Delivery) -> None:
    network.answers["prepare"] = [errors.Unreachable(host="a"), errors.Unreachable(host="a")]
    run()
    later(61)
    run()
    assert network.uploads == 1
    Post.objects.filter(pk=delivery.post_id).update(text="Changed")
    later(130)
    run()
    assert network.uploads == 2
    assert network.calls[-1] == "commit Changed"


def test_uploads_that_are_gone_at_the_platform_are_made_anew(network: FakeNetwork, delivery: Delivery) -> None:
    network.answers["commit"] = [errors.Temporary("uploads_gone", restart=True)]
    run()
    later(61)
    run()
    assert (network.uploads, now_of(delivery)[0].status) == (2, "published")


def test_an_account_that_moved_is_followed(network: FakeNetwork, delivery: Delivery) -> None:
    moved = errors.Temporary("moved", new_config={"chat": "-100"}, new_identity_id="fake-2")
    network.answers["commit"] = [moved]
    run()
    account = Account.objects.get()
    assert (account.config["chat"], account.identity_id) == ("-100", "fake-2")


def test_a_refresh_under_way_elsewhere_postpones(
    network: FakeNetwork, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy: Callable[..., Any] = lambda account: (_ for _ in ()).throw(  # noqa: E731 - raises in one line
        accounts.RefreshBusy(account, clock.now() + timedelta(seconds=40))
    )
    monkeypatch.setattr(accounts, "ensure_fresh", busy)
    run()
    _, job = now_of(delivery)
    assert (job.state, job.reason, job.attempts) == ("pending", "refresh_busy", 0)


def test_the_job_of_a_deleted_post_fails_and_says_so(network: FakeNetwork, delivery: Delivery) -> None:
    Delivery.objects.filter(pk=delivery.pk).delete()
    run()
    job = Job.objects.get(type="posts.publish")
    assert (job.state, job.reason, network.calls) == ("failed", "post_deleted", [])


def test_two_deliveries_of_a_post_make_its_status(network: FakeNetwork, delivery: Delivery) -> None:
    second = Account.objects.create(platform="fake", name="Grace", identity_id="fake-9")
    store_credentials(second, network.connect(None, {}))  # type: ignore[arg-type]  # the fake asks nobody
    second.save()
    post = Post.objects.create(text="Both")
    for account in Account.objects.all():
        Delivery.objects.create(post=post, account=account)
    run()
    schedule_post(post, at=clock.now())
    network.answers["commit"] = [LIVE, errors.ContentRejected(field="text")]
    run()
    post.refresh_from_db()
    assert post.status == PostStatus.PARTIALLY_PUBLISHED
    statuses = sorted(Delivery.objects.filter(post=post).values_list("status", flat=True))
    assert statuses == ["failed", "published"]
