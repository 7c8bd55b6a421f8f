from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from posts.platforms import threads
from posts.publishing.errors import (
    ContentRejected,
    NotReady,
    OutcomeUnknown,
    PublishError,
    RateLimited,
    ReconnectNeeded,
    Temporary,
    TokenExpired,
)
from posts.publishing.oauth import Callback
from posts.publishing.platform import Platform, Session
from posts.publishing.types import Absent, App, CannotTell, Content, Draft, Found, MediaFile, Published
from posts.publishing.words import WORDS
from tests.posts.platforms.contract import MemoryCheckpoints, PlatformContract, an_http, picture, video
from tests.posts.platforms.fake_containers import FakeFiles, Refused
from tests.posts.platforms.fake_instagram import sent
from tests.posts.platforms.fake_threads import CODE, TOKEN, USER_ID, FakeThreads, not_found

CALLBACK = Callback("https://socialq.example/oauth/threads", "state-1", "verifier-1")
CREATE, PUBLISH = "/v1.0/me/threads", "/v1.0/me/threads_publish"


class TestThreads(PlatformContract):
    platform: ClassVar[Platform] = threads.PLATFORM
    commit_path = "/threads_publish"
    picture_path = "/me/threads"
    login_path = "/me"

    @pytest.fixture
    def server(self) -> Iterator[FakeThreads]:
        with FakeFiles() as self.files, FakeThreads() as server:
            yield server

    def tokens(self, server: Any) -> dict[str, Any]:
        return {"access_token": TOKEN, "expires_in": 5_184_000}

    def content(self, text: str = "Hello", *media: MediaFile, **options: Any) -> Content:
        made = super().content(text, *media)
        return replace(made, media=tuple(self.files.offer(each) for each in made.media), options=options)

    def check_text_request(self, server: Any, text: str) -> None:
        created, published = (seen for seen in server.seen if seen.method == "POST")
        assert (created.path, sent(created)) == (CREATE, {"media_type": "TEXT", "text": text})
        assert (published.path, list(sent(published))) == (PUBLISH, ["creation_id"])

    def check_picture_request(self, server: Any, media: MediaFile) -> None:
        created = next(seen for seen in server.seen if seen.method == "POST")
        assert sent(created) == {
            "media_type": "IMAGE",
            "image_url": f"{self.files.url}/media/{media.filename}?sig=1",
            "alt_text": media.alt_text,
            "text": "Look",
        }

    def rate_limit_body(self, wait_seconds: int | None) -> Any:
        return {"error": {"message": "(#17) User request limit reached", "code": 17}}

    def end_login(self, server: Any) -> None:
        server.end_tokens()

    def renewable(self, server: Any, session: Session) -> Session:
        return self.aged(session)

    def end_renewal(self, server: Any) -> bool:
        server.end_tokens()
        return True

    # Helpers

    def prepared(self, session: Session, content: Content, checkpoints: MemoryCheckpoints | None = None) -> Any:
        return self.platform.prepare(session, content, checkpoints or MemoryCheckpoints())

    def made(self, server: FakeThreads) -> list[dict[str, Any]]:
        return [sent(seen) for seen in server.seen if seen.path == CREATE and seen.method == "POST"]

    def attempt(self, session: Session, content: Content, checkpoints: MemoryCheckpoints) -> Published:
        return self.platform.commit(session, self.prepared(session, content, checkpoints))

    def reply(
        self, session: Session, *live: Published, text: str = "Second", kind: Any = "post"
    ) -> tuple[Session, dict[str, Any], MemoryCheckpoints]:
        """Return what ``follow`` needs for the part after ``live``."""
        content = replace(self.content(text), part=len(live), parts=len(live) + 1, kind=kind)
        checkpoints = MemoryCheckpoints()
        return replace(session, thread=live), self.prepared(session, content, checkpoints), checkpoints

    # What is made

    def test_no_token_is_in_an_address_or_a_body(self, server: FakeThreads) -> None:
        self.commit(self.session(server))
        for seen in server.seen:
            assert seen.headers["authorization"] == f"Bearer {TOKEN}"
            assert TOKEN not in str(seen.query) + seen.body.decode()

    def test_a_carousel_has_its_text_once(self, server: FakeThreads) -> None:
        files = (picture("p1"), video("v1"))
        self.commit(self.session(server, *files), "Two", *files)
        first, film, whole = self.made(server)
        address = f"{self.files.url}/media"
        assert first == {
            "media_type": "IMAGE",
            "image_url": f"{address}/p1.jpg?sig=1",
            "alt_text": "A red field",
            "is_carousel_item": "true",
        }
        assert film["video_url"] == f"{address}/v1.mp4?sig=1"
        children = ",".join(list(server.containers)[:2])
        assert whole == {"media_type": "CAROUSEL", "children": children, "text": "Two"}
        assert len(server.accepted) == 1

    def test_a_text_has_its_choices(self, server: FakeThreads) -> None:
        options = {
            "topic_tag": "Gardens",
            "reply_control": "mentioned_only",
            "link_attachment": "https://a.example",
            "poll": ["Yes", "No"],
        }
        self.prepared(self.session(server), self.content("Well?", **options))
        assert self.made(server) == [
            {
                "media_type": "TEXT",
                "text": "Well?",
                "topic_tag": "Gardens",
                "reply_control": "mentioned_only",
                "link_attachment": "https://a.example",
                "poll_attachment": {"option_a": "Yes", "option_b": "No"},
            }
        ]

    def test_a_site_without_an_address_says_so(self, server: FakeThreads) -> None:
        session = self.session(server)
        with self.refused(ContentRejected, "media_address_missing"):
            self.prepared(session, replace(self.content(), media=(picture(),)))

    @pytest.mark.parametrize(
        ("text", "media", "options", "codes"),
        [
            ("Hi", (), {}, []),
            ("Hi", (picture(),) * 21, {}, ["threads.too_many_files"]),
            ("Hi", (replace(video(), width=3840),), {}, ["threads.video_too_wide"]),
            ("Hi", (), {"topic_tag": "a.b"}, ["threads.topic_sign"]),
            ("Hi", (), {"topic_tag": "a&b"}, ["threads.topic_sign"]),
            ("Hi", (), {"poll": ["One"]}, ["threads.poll_size"]),
            ("Hi", (), {"poll": ["One", "T" * 26]}, ["threads.poll_answer_long"]),
            ("Hi", (picture(),), {"poll": ["One", "Two"]}, ["threads.poll_with_media"]),
            ("Hi", (picture(),), {"link_attachment": "https://a.example"}, ["threads.link_with_media"]),
            (" ", (), {"link_attachment": "https://a.example"}, ["threads.text_needed"]),
            ("Hi", (), {"link_attachment": "a.example"}, ["threads.link_invalid"]),
            (
                " ".join(f"https://a.example/{n}" for n in range(5)),
                (),
                {"link_attachment": "https://b.example"},
                ["threads.too_many_links"],
            ),
            (
                " ".join(f"https://a.example/{n}" for n in range(5)),
                (),
                {"link_attachment": "https://a.example/3"},
                [],
            ),
        ],
    )
    def test_what_does_not_go_together_is_said_early(
        self, text: str, media: tuple[MediaFile, ...], options: dict[str, Any], codes: list[str]
    ) -> None:
        problems = self.platform.problems(Draft((text,), media, options), {})
        assert [problem.code for problem in problems] == codes
        assert set(codes) <= set(WORDS)

    @pytest.mark.parametrize("text", ["x" * 501, "🌻" * 126, " ".join(f"https://a.example/{n}" for n in range(6))])
    def test_a_text_beyond_the_limits_is_refused_in_their_words(self, server: FakeThreads, text: str) -> None:
        with self.refused(ContentRejected, "threads.invalid_parameter") as caught:
            self.prepared(self.session(server), self.content(text))
        assert caught.value.detail

    # Waiting

    def test_every_container_is_polled_until_it_is_finished(self, server: FakeThreads) -> None:
        files = (picture("p1"), picture("p2"))
        session, checkpoints = self.session(server, *files), MemoryCheckpoints()
        server.polls = 2
        for _container in range(3):
            with self.refused(NotReady, "media_processing"):
                self.prepared(session, self.content("Two", *files), checkpoints)
        self.attempt(session, self.content("Two", *files), checkpoints)
        assert len(self.made(server)) == 3
        assert len(server.accepted) == 1

    @pytest.mark.parametrize(
        ("reason", "kind", "code"),
        [
            ("FAILED_DOWNLOADING_VIDEO", Temporary, "threads.media_unfetched"),
            ("UNKNOWN", Temporary, "threads.media_unfetched"),
            ("FAILED_PROCESSING_AUDIO", ContentRejected, "threads.video_refused"),
            ("FAILED_PROCESSING_VIDEO", ContentRejected, "threads.video_refused"),
            ("INVALID_ASPEC_RATIO", ContentRejected, "threads.video_refused"),
            ("INVALID_BIT_RATE", ContentRejected, "threads.video_refused"),
            ("INVALID_DURATION", ContentRejected, "threads.video_refused"),
            ("INVALID_FRAME_RATE", ContentRejected, "threads.video_refused"),
            ("INVALID_AUDIO_CHANNELS", ContentRejected, "threads.video_refused"),
            ("INVALID_AUDIO_CHANNEL_LAYOUT", ContentRejected, "threads.video_refused"),
            ("SOMETHING_NEW", Temporary, "threads.upload_failed"),
        ],
    )
    def test_a_failed_container_says_why_and_is_made_anew(
        self, server: FakeThreads, reason: str, kind: type[PublishError], code: str
    ) -> None:
        film, checkpoints = video(), MemoryCheckpoints()
        session = self.session(server, film)
        server.failures = [reason]
        with self.refused(kind, code) as caught:
            self.prepared(session, self.content("Film", film), checkpoints)
        assert caught.value.detail == reason
        self.attempt(session, self.content("Film", film), checkpoints)
        assert len(self.made(server)) == 2

    def test_a_file_that_cannot_be_fetched_is_tried_again(self, server: FakeThreads) -> None:
        session, post = self.session(server), self.content("Hi", picture())
        self.files.files.clear()
        with self.refused(Temporary, "threads.media_unfetched"):
            self.prepared(session, post)

    def test_an_expired_container_is_made_anew(self, server: FakeThreads) -> None:
        session, checkpoints = self.session(server), MemoryCheckpoints()
        self.prepared(session, self.content(), checkpoints)
        for made in server.containers.values():
            made.made_at -= timedelta(hours=25)
        with self.refused(Temporary, "prepared_expired") as caught:
            self.prepared(session, self.content(), checkpoints)
        assert caught.value.restart

    def test_a_used_up_quota_waits(self, server: FakeThreads) -> None:
        session = self.session(server)
        server.quota["used"] = 250
        with self.refused(RateLimited, "limit_used_up") as caught:
            self.prepared(session, self.content())
        assert caught.value.scope == "account"

    # The race at publishing

    @pytest.mark.parametrize("races", [1, 2])
    def test_a_container_that_is_not_seen_yet_is_published_again(self, server: FakeThreads, races: int) -> None:
        session, checkpoints = self.session(server), MemoryCheckpoints()
        server.races = races
        for _race in range(races):
            with self.refused(NotReady, "threads.not_seen_yet") as caught:
                self.attempt(session, self.content(), checkpoints)
            assert caught.value.check_after_seconds == 10
        self.attempt(session, self.content(), checkpoints)
        assert len(self.made(server)) == 1
        assert len(server.accepted) == 1

    def test_a_container_that_is_never_seen_is_given_up_for_a_new_one(self, server: FakeThreads) -> None:
        session, checkpoints = self.session(server), MemoryCheckpoints()
        server.races = 5
        for _race in range(4):
            with self.refused(NotReady, "threads.not_seen_yet"):
                self.attempt(session, self.content(), checkpoints)
        with self.refused(Temporary, "threads.container_unseen"):
            self.attempt(session, self.content(), checkpoints)
        with self.refused(NotReady, "threads.not_seen_yet"):
            self.attempt(session, self.content(), checkpoints)
        self.attempt(session, self.content(), checkpoints)
        assert len(self.made(server)) == 2
        assert len(server.accepted) == 1

    # The error table

    @pytest.mark.parametrize(
        ("refusal", "kind", "code"),
        [
            (Refused(24, 4279009), NotReady, "threads.not_seen_yet"),
            (Refused(24, 4279013), ReconnectNeeded, "threads.account_restricted"),
            (Refused(4, 0), RateLimited, "rate_limited"),
            (Refused(17, 0), RateLimited, "rate_limited"),
            (Refused(32, 0), RateLimited, "rate_limited"),
            (Refused(613, 0), RateLimited, "rate_limited"),
            (Refused(190, 463), TokenExpired, "token_expired"),
            (Refused(190, 458), ReconnectNeeded, "threads.app_removed"),
            (Refused(200, 0), ReconnectNeeded, "threads.permission_missing"),
            (Refused(4, 2207051, "x", 403), OutcomeUnknown, "threads.action_blocked"),
            (Refused(10, 0), OutcomeUnknown, "threads.refused_unclearly"),
            (Refused(100, 0), OutcomeUnknown, "threads.refused_unclearly"),
            (Refused(1, 0), OutcomeUnknown, "server_error"),
            (Refused(2, 0), OutcomeUnknown, "server_error"),
            (Refused(2, 0, "x", 500), OutcomeUnknown, "server_error"),
            (Refused(1, 2207052), Temporary, "threads.media_unfetched"),
        ],
    )
    def test_the_error_table_at_publishing(
        self, server: FakeThreads, refusal: Refused, kind: type[PublishError], code: str
    ) -> None:
        session = self.session(server)
        snapshot = self.prepared(session, self.content())
        server.publish_refusals = [refusal]
        with self.refused(kind, code) as caught:
            self.platform.commit(session, snapshot)
        assert not isinstance(caught.value, RateLimited) or caught.value.scope == "account"

    @pytest.mark.parametrize(
        ("refusal", "kind", "code"),
        [
            (Refused(1, 0), Temporary, "server_error"),
            (Refused(2, 0), Temporary, "server_error"),
            (Refused(24, 0, is_transient=True), Temporary, "server_error"),
            (Refused(10, 0), ReconnectNeeded, "threads.permission_missing"),
            (Refused(100, 0), ContentRejected, "threads.invalid_parameter"),
            (Refused(24, 4279013), ReconnectNeeded, "threads.account_restricted"),
            (Refused(4, 2207051, "x", 403), Temporary, "threads.action_blocked"),
        ],
    )
    def test_the_error_table_before(
        self, server: FakeThreads, refusal: Refused, kind: type[PublishError], code: str
    ) -> None:
        session = self.session(server)
        server.fault(CREATE, status=refusal.answer.status, body=refusal.answer.body)
        with self.refused(kind, code):
            self.prepared(session, self.content())

    @pytest.mark.parametrize(
        "refusal", [Refused(10, 0, "Application does not have permission"), Refused(2, 0, "x", 500)]
    )
    def test_a_refusal_behind_which_the_post_is_live_makes_no_second(
        self, server: FakeThreads, refusal: Refused
    ) -> None:
        session, checkpoints = self.session(server), MemoryCheckpoints()
        snapshot, marked_at = self.prepared(session, self.content(), checkpoints), datetime.now(UTC)
        server.live_but = [refusal]
        with self.refused(OutcomeUnknown):
            self.platform.commit(session, snapshot)
        with self.refused(OutcomeUnknown, "already_published"):
            self.platform.commit(replace(session, sent_before=True), snapshot)
        with self.refused(OutcomeUnknown, "already_published"):
            self.prepared(session, self.content(), checkpoints)
        finding = self.platform.find(session, snapshot, marked_at)
        assert isinstance(finding, Found)
        assert finding.published.id == server.accepted[0]["key"]
        assert len(server.accepted) == 1

    # Looking after silence

    def lost(self, server: FakeThreads, **fault: Any) -> tuple[Session, Any, datetime]:
        session = self.session(server)
        snapshot, marked_at = self.prepared(session, self.content()), datetime.now(UTC)
        server.fault("threads_publish", **({"kind": "cut", "after": True} | fault))
        with self.refused(OutcomeUnknown):
            self.platform.commit(session, snapshot)
        return session, snapshot, marked_at

    def test_a_post_that_shows_late_is_looked_for_again(self, server: FakeThreads) -> None:
        server.hidden_reads = 1
        session, snapshot, marked_at = self.lost(server)
        unseen = CannotTell("published_unseen", look_again=True)
        assert self.platform.find(session, snapshot, marked_at) == unseen
        assert isinstance(self.platform.find(session, snapshot, marked_at), Found)

    def test_an_unpublished_container_means_absent(self, server: FakeThreads) -> None:
        session, snapshot, marked_at = self.lost(server, after=False)
        assert self.platform.find(session, snapshot, marked_at) == Absent()

    def test_two_posts_of_one_text_are_not_told_apart(self, server: FakeThreads) -> None:
        session, snapshot, marked_at = self.lost(server)
        server.posts.append({**server.posts[0], "id": "1"})
        assert self.platform.find(session, snapshot, marked_at) == CannotTell("several_match")

    def test_an_address_that_is_kept_back_fails_nothing(self, server: FakeThreads) -> None:
        session = self.session(server)
        snapshot = self.prepared(session, self.content())
        server.fault("/v1.0/1790000000000000", status=200, body={"id": "1"}, times=2)
        published = self.platform.commit(session, snapshot)
        assert (published.url, published.settled) == ("", False)
        assert self.platform.settle(session, snapshot, published).settled
        assert len(server.accepted) == 1

    # Chains

    def test_each_reply_goes_to_the_part_before_it(self, server: FakeThreads) -> None:
        session = self.session(server)
        first = self.commit(session)
        chain, snapshot, checkpoints = self.reply(session, first)
        second = self.platform.commit(chain, self.platform.follow(chain, snapshot, checkpoints))
        chain, snapshot, checkpoints = self.reply(session, first, second, text="Third")
        self.platform.commit(chain, self.platform.follow(chain, snapshot, checkpoints))
        assert self.made(server)[1:] == [
            {"media_type": "TEXT", "text": "Second", "reply_to_id": first.id},
            {"media_type": "TEXT", "text": "Third", "reply_to_id": second.id},
        ]
        assert [post["text"] for post in server.accepted] == ["Hello", "Second", "Third"]
        assert server.replies["used"] == 2

    def test_a_first_comment_replies_to_the_first_part(self, server: FakeThreads) -> None:
        session = self.session(server)
        first = self.commit(session)
        chain, snapshot, checkpoints = self.reply(session, first, replace(first, id="2"), kind="comment")
        self.platform.commit(chain, self.platform.follow(chain, snapshot, checkpoints))
        assert self.made(server)[-1]["reply_to_id"] == first.id

    def test_a_later_part_asks_nothing_while_the_first_is_prepared(self, server: FakeThreads) -> None:
        session = self.session(server)
        before = len(server.seen)
        self.reply(session, Published("1", ""))
        assert len(server.seen) == before

    def test_a_reply_to_a_post_that_is_not_seen_yet_waits(self, server: FakeThreads) -> None:
        session = self.session(server)
        first = self.commit(session)
        server.unreadable_parents, server.polls = 1, 2
        chain, snapshot, checkpoints = self.reply(session, first)
        with self.refused(NotReady, "threads.not_seen_yet"):
            self.platform.follow(chain, snapshot, checkpoints)
        with self.refused(NotReady, "media_processing"):
            self.platform.follow(chain, snapshot, checkpoints)
        followed = self.platform.follow(chain, snapshot, checkpoints)
        self.platform.commit(chain, followed)
        assert len(self.made(server)) == 3  # one of them was refused
        assert self.platform.follow(chain, followed, checkpoints) == followed

    def test_replies_have_a_quota_of_their_own(self, server: FakeThreads) -> None:
        session = self.session(server)
        first = self.commit(session)
        server.quota["used"] = 250
        chain, snapshot, checkpoints = self.reply(session, first)
        self.platform.commit(chain, self.platform.follow(chain, snapshot, checkpoints))
        server.replies["used"] = 1000
        chain, snapshot, checkpoints = self.reply(session, first)
        with self.refused(RateLimited, "limit_used_up"):
            self.platform.follow(chain, snapshot, checkpoints)

    def test_a_reply_whose_answer_was_lost_is_found_among_replies(self, server: FakeThreads) -> None:
        session = self.session(server)
        first = self.commit(session, "Same")
        chain, snapshot, checkpoints = self.reply(session, first, text="Same")
        marked_at = datetime.now(UTC)
        followed = self.platform.follow(chain, snapshot, checkpoints)
        server.fault("threads_publish", kind="cut", after=True)
        with self.refused(OutcomeUnknown):
            self.platform.commit(chain, followed)
        found = self.platform.find(chain, followed, marked_at)
        assert isinstance(found, Found)
        assert found.published.id == server.accepted[1]["key"]

    def test_a_part_that_is_live_is_not_taken_for_the_next(self, server: FakeThreads) -> None:
        session = self.session(server)
        first = self.commit(session)
        chain, snapshot, checkpoints = self.reply(session, first, text="Same")
        marked_at = datetime.now(UTC)
        second = self.platform.commit(chain, self.platform.follow(chain, snapshot, checkpoints))
        chain, snapshot, checkpoints = self.reply(session, first, second, text="Same")
        followed = self.platform.follow(chain, snapshot, checkpoints)
        assert self.platform.find(chain, followed, marked_at) == Absent()

    # Logging in

    def app_session(self, server: FakeThreads) -> Session:
        return Session(an_http(), {}, {}, lambda: datetime.now(UTC), app=self.app(server))

    def test_people_log_in_at_threads(self) -> None:
        session = Session(an_http(), {}, {}, lambda: datetime.now(UTC), app=App("client-1", "client-secret-1"))
        address = urlsplit(self.platform.authorize(session, {}, CALLBACK, {}).url)
        assert f"{address.netloc}{address.path}" == "threads.net/oauth/authorize"
        assert parse_qs(address.query) == {
            "client_id": ["client-1"],
            "redirect_uri": [CALLBACK.redirect_uri],
            "response_type": ["code"],
            "scope": ["threads_basic,threads_content_publish,threads_manage_replies,threads_read_replies"],
            "state": ["state-1"],
        }

    def test_a_code_becomes_a_token_of_sixty_days_and_a_grant_of_ninety(self, server: FakeThreads) -> None:
        session = self.app_session(server)
        tokens = self.platform.exchange(session, f"{CODE}#_", {}, CALLBACK, {})
        code, long = server.seen
        assert (code.method, code.path, code.query) == ("POST", "/oauth/access_token", {})
        assert (long.path, long.query["grant_type"]) == ("/access_token", "th_exchange_token")
        (connection,) = self.platform.connections(session, tokens, {})
        assert (connection.identity.id, connection.identity.name) == (USER_ID, "ada")
        assert connection.credentials == {"access_token": TOKEN}
        assert connection.expires_at is not None
        assert connection.renewable_until is not None
        assert timedelta(days=59) < connection.expires_at - datetime.now(UTC) <= timedelta(days=60)
        assert timedelta(days=89) < connection.renewable_until - datetime.now(UTC) <= timedelta(days=90)

    def test_a_used_code_and_a_wrong_app_secret_are_told_apart(self, server: FakeThreads) -> None:
        session, used = self.app_session(server), CODE[::-1]  # a traceback shows the lines of this file
        with self.refused(ReconnectNeeded, "oauth.grant_refused", secrets=(used,)):
            self.platform.exchange(session, used, {}, CALLBACK, {})
        wrong = replace(session, app=replace(session.app, client_secret=used))
        with self.refused(ReconnectNeeded, "oauth.client_refused", secrets=(used,)):
            self.platform.exchange(wrong, CODE, {}, CALLBACK, {})

    def aged(self, session: Session) -> Session:
        since = (session.now() - timedelta(days=2)).isoformat()
        return replace(session, config={**session.config, "token_since": since})

    def test_a_token_is_renewed_at_its_own_address(self, server: FakeThreads) -> None:
        connection = self.platform.refresh(self.aged(self.session(server)))
        seen = server.seen[-1]
        assert seen.path == "/refresh_access_token"
        assert seen.query == {"grant_type": "th_refresh_token", "access_token": TOKEN}
        assert (connection.identity.id, connection.identity.name) == (USER_ID, "ada")
        assert connection.credentials == {"access_token": "THAAtoken-of-sixty-days-2"}

    def test_a_token_that_is_too_young_is_kept_where_it_still_works(self, server: FakeThreads) -> None:
        session = self.session(server)
        assert self.platform.refresh(session).credentials == {"access_token": TOKEN}
        assert "/refresh_access_token" not in server.paths()
        server.end_tokens()
        for over in (session, self.aged(session)):
            with self.refused(ReconnectNeeded, "oauth.grant_refused", secrets=(TOKEN,)):
                self.platform.refresh(over)

    def test_checking_posts_nothing(self, server: FakeThreads) -> None:
        session = self.session(server)
        server.username = "ada.new"
        checked = self.platform.check(session)
        assert (checked.identity.id, checked.config) == (USER_ID, {"username": "ada.new"})
        assert not [seen for seen in server.seen if seen.method == "POST"]

    def test_the_fakes_race_is_the_documented_answer(self) -> None:
        error = not_found("17").answer.body["error"]
        assert (error["code"], error["error_subcode"], error["is_transient"]) == (24, 4279009, False)
