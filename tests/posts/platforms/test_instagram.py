from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image

from posts.media.inspect import Picture
from posts.media.plan import ImpossibleError, plan_rendering
from posts.platforms import instagram
from posts.platforms._instagram_rows import ROWS
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
from tests.posts.platforms.fake_instagram import (
    CODE,
    FACEBOOK_TOKEN,
    IG_ID,
    PAGE_TOKEN,
    SCOPES,
    SECOND_IG_ID,
    TOKEN,
    FakeInstagram,
    sent,
)

CALLBACK = Callback("https://socialq.example/oauth/instagram", "state-1", "verifier-1")
PUBLISH = f"/v25.0/{IG_ID}/media_publish"
CREATE = f"/v25.0/{IG_ID}/media"


class TestInstagram(PlatformContract):
    platform: ClassVar[Platform] = instagram.PLATFORM
    commit_path = "/media_publish"
    picture_path = f"/{IG_ID}/media"
    login_path = "/me"

    @pytest.fixture
    def server(self) -> Iterator[FakeInstagram]:
        with FakeFiles() as self.files, FakeInstagram() as server:
            yield server

    def tokens(self, server: Any) -> dict[str, Any]:
        return {"access_token": TOKEN, "expires_in": 5_183_944, "permissions": SCOPES}

    def usual_media(self) -> tuple[MediaFile, ...]:
        return (picture(),)

    def content(self, text: str = "Hello", *media: MediaFile, **options: Any) -> Content:
        made = super().content(text, *media)
        return replace(made, media=tuple(self.files.offer(each) for each in made.media), options=options)

    def check_text_request(self, server: Any, text: str) -> None:
        created, published = (seen for seen in server.seen if seen.method == "POST")
        assert sent(created)["caption"] == text
        assert (published.path, list(sent(published))) == (PUBLISH, ["creation_id"])

    def check_picture_request(self, server: Any, media: MediaFile) -> None:
        created = next(seen for seen in server.seen if seen.method == "POST")
        assert created.path == CREATE
        assert sent(created) == {
            "image_url": f"{self.files.url}/media/{media.filename}?sig=1",
            "caption": "Look",
            "alt_text": media.alt_text,
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

    def made(self, server: FakeInstagram) -> list[dict[str, Any]]:
        return [sent(seen) for seen in server.seen if seen.path == CREATE and seen.method == "POST"]

    # Tokens

    def test_no_token_is_in_an_address_or_a_body(self, server: FakeInstagram) -> None:
        self.commit(self.session(server))
        for seen in server.seen:
            assert seen.headers["authorization"] == f"Bearer {TOKEN}"
            assert TOKEN not in str(seen.query) + seen.body.decode()

    # What is made

    def test_a_carousel_mixes_pictures_and_videos_and_has_its_text_once(self, server: FakeInstagram) -> None:
        files = (picture("p1"), video("v1"), picture("p2", alt_text=""))
        session = self.session(server, *files)
        published = self.commit(session, "Three", *files)
        first, film, second, whole = self.made(server)
        address = f"{self.files.url}/media"
        assert first == {"image_url": f"{address}/p1.jpg?sig=1", "alt_text": "A red field", "is_carousel_item": "true"}
        assert film == {"video_url": f"{address}/v1.mp4?sig=1", "media_type": "VIDEO", "is_carousel_item": "true"}
        assert second == {"image_url": f"{address}/p2.jpg?sig=1", "is_carousel_item": "true"}
        children = ",".join(list(server.containers)[:3])
        assert whole == {"media_type": "CAROUSEL", "children": children, "caption": "Three"}
        assert len(server.accepted) == 1
        assert published.url == f"https://network.example/ada/{published.id}"

    def test_a_video_in_the_feed_is_a_reel(self, server: FakeInstagram) -> None:
        film = video()
        self.commit(self.session(server, film), "Film", film)
        address = f"{self.files.url}/media/v1.mp4?sig=1"
        assert self.made(server) == [
            {"video_url": address, "caption": "Film", "media_type": "REELS", "share_to_feed": "true"}
        ]

    def test_a_reel_has_its_choices(self, server: FakeInstagram) -> None:
        film = video()
        options = {
            "placement": "reel",
            "share_to_feed": False,
            "cover_offset_ms": 0,
            "collaborators": ["@bob", "eve"],
        }
        self.prepared(self.session(server, film), self.content("Film", film, **options))
        (fields,) = self.made(server)
        assert fields["share_to_feed"] == "false"
        assert fields["thumb_offset"] == "0"
        assert fields["collaborators"] == ["bob", "eve"]

    def test_a_cover_of_ones_own_goes_before_a_moment(self, server: FakeInstagram) -> None:
        film = replace(video(), cover=picture("cover"))
        self.prepared(self.session(server, film), self.content("Film", film, cover_offset_ms=5))
        (fields,) = self.made(server)
        assert fields["cover_url"] == f"{self.files.url}/media/cover.jpg?sig=1"
        assert "thumb_offset" not in fields

    @pytest.mark.parametrize("media", [picture(width=9, height=16), video()], ids=["picture", "video"])
    def test_a_story_has_no_text(self, server: FakeInstagram, media: MediaFile) -> None:
        session = self.session(server, media)
        snapshot = self.prepared(session, self.content("Nobody sees it", media, placement="story"))
        name = "video_url" if media.kind == "video" else "image_url"
        assert self.made(server) == [{"media_type": "STORIES", name: f"{self.files.url}/media/{media.filename}?sig=1"}]
        assert snapshot["text"] == ""

    def test_a_site_without_an_address_says_so(self, server: FakeInstagram) -> None:
        session = self.session(server)
        with self.refused(ContentRejected, "media_address_missing") as caught:
            self.prepared(session, replace(self.content(), media=(picture(),)))
        assert caught.value.field == "media"
        assert not self.made(server)

    def test_a_text_alone_is_refused_before_anything_is_sent(self, server: FakeInstagram) -> None:
        session = self.session(server)
        before = len(server.seen)
        with self.refused(ContentRejected, "instagram.media_needed"):
            self.prepared(session, replace(self.content(), media=()))
        assert len(server.seen) == before

    @pytest.mark.parametrize(
        ("media", "options", "codes"),
        [
            ((picture(),), {}, []),
            ((picture(),) * 11, {}, ["instagram.too_many_files"]),
            ((picture(),), {"placement": "reel"}, ["instagram.reel_one_video"]),
            ((video(), video()), {"placement": "reel"}, ["instagram.reel_one_video"]),
            ((picture(), picture()), {"placement": "story"}, ["instagram.story_one_file"]),
            ((video(seconds=61),), {"placement": "story"}, ["instagram.story_too_long"]),
            ((replace(video(), size_bytes=100_000_001),), {"placement": "story"}, ["instagram.story_too_large"]),
            ((replace(video(), width=3840),), {}, ["instagram.video_too_wide"]),
            ((picture(), picture()), {"collaborators": ["bob"]}, ["instagram.collaborators_on_carousel"]),
        ],
    )
    def test_what_a_placement_does_not_take_is_said_early(
        self, media: tuple[MediaFile, ...], options: dict[str, Any], codes: list[str]
    ) -> None:
        problems = self.platform.problems(Draft(("Hi",), media, options), {})
        assert [problem.code for problem in problems] == codes
        assert set(codes) <= set(WORDS)

    def test_a_note_says_that_a_story_shows_no_text(self) -> None:
        notes = self.platform.notes(Draft(("Hi",), (picture(),), {"placement": "story"}), {})
        assert [note.code for note in notes] == ["instagram.story_without_text"]
        assert not self.platform.notes(Draft(("Hi",), (picture(),), {}), {})

    # Waiting for containers, and what a crash leaves

    def test_every_container_is_polled_until_it_is_finished(self, server: FakeInstagram) -> None:
        files = (picture("p1"), picture("p2"))
        session, checkpoints = self.session(server, *files), MemoryCheckpoints()
        server.polls = 2
        post, waits = self.content("Two", *files), 0
        while True:
            try:
                snapshot = self.prepared(session, post, checkpoints)
                break
            except NotReady:
                waits += 1
        assert waits == 3  # each of the three containers says once that it is not ready
        assert len(self.made(server)) == 3
        assert not server.accepted
        self.platform.commit(session, snapshot)
        assert len(server.accepted) == 1

    @pytest.mark.parametrize("crash_after", [1, 2, 3])
    def test_after_a_crash_what_was_made_is_not_made_again(self, server: FakeInstagram, crash_after: int) -> None:
        class Dying(MemoryCheckpoints):
            def put(self, name: str, value: Any) -> None:
                super().put(name, value)
                self.die()

            def once(self, name: str, make: Any) -> Any:
                known = name in self.stored
                made = super().once(name, make)
                if not known:
                    self.die()
                return made

            def die(self) -> None:
                if len(self.stored) == crash_after:
                    raise KeyboardInterrupt

        files = (picture("p1"), picture("p2"))
        session, post, dying = self.session(server, *files), self.content("Two", *files), Dying()
        with pytest.raises(KeyboardInterrupt):
            self.prepared(session, post, dying)
        kept = MemoryCheckpoints()
        kept.stored = dying.stored
        self.platform.commit(session, self.prepared(session, post, kept))
        assert len(self.made(server)) == 3
        assert len(server.accepted) == 1

    def test_a_fresh_container_that_is_unreadable_is_waited_for(self, server: FakeInstagram) -> None:
        session, checkpoints = self.session(server), MemoryCheckpoints()
        server.unreadable_reads = 2
        for _time in range(2):
            with self.refused(NotReady, "instagram.unreadable") as caught:
                self.prepared(session, self.content(), checkpoints)
            assert caught.value.deadline_seconds == 600
        assert self.prepared(session, self.content(), checkpoints)
        assert len(self.made(server)) == 1

    def test_an_expired_container_is_made_anew(self, server: FakeInstagram) -> None:
        session, checkpoints = self.session(server), MemoryCheckpoints()
        self.prepared(session, self.content(), checkpoints)
        for made in server.containers.values():
            made.made_at -= timedelta(hours=25)
        with self.refused(Temporary, "prepared_expired") as caught:
            self.prepared(session, self.content(), checkpoints)
        assert caught.value.restart

    def test_a_container_that_is_published_already_is_left_to_people(self, server: FakeInstagram) -> None:
        session, checkpoints = self.session(server), MemoryCheckpoints()
        self.platform.commit(session, self.prepared(session, self.content(), checkpoints))
        with self.refused(OutcomeUnknown, "already_published"):
            self.prepared(session, self.content(), checkpoints)

    @pytest.mark.parametrize(
        ("number", "kind", "code"),
        [
            ("2207082", Temporary, "instagram.upload_failed"),
            ("2207077", Temporary, "instagram.upload_failed"),
            ("2207085", Temporary, "instagram.upload_failed"),
            ("2207053", Temporary, "instagram.upload_failed"),
            ("2207003", Temporary, "instagram.download_timeout"),
            ("2207020", Temporary, "prepared_expired"),
            ("2207026", ContentRejected, "instagram.video_refused"),
            ("2207004", ContentRejected, "instagram.image_too_large"),
            ("2207005", ContentRejected, "instagram.image_format"),
            ("2207009", ContentRejected, "instagram.image_ratio"),
            ("something new", Temporary, "instagram.upload_failed"),
        ],
    )
    def test_a_failed_container_says_why_and_is_made_anew(
        self, server: FakeInstagram, number: str, kind: type[PublishError], code: str
    ) -> None:
        session, checkpoints = self.session(server), MemoryCheckpoints()
        server.failures = [number]
        with self.refused(kind, code):
            self.prepared(session, self.content(), checkpoints)
        assert "container" not in checkpoints.stored
        self.platform.commit(session, self.prepared(session, self.content(), checkpoints))
        assert len(self.made(server)) == 2

    def test_of_a_carousel_only_the_failed_picture_is_made_anew(self, server: FakeInstagram) -> None:
        files = (picture("p1"), picture("p2"))
        session, checkpoints = self.session(server, *files), MemoryCheckpoints()
        server.failures = ["", "2207003"]
        with self.refused(Temporary, "instagram.download_timeout"):
            self.prepared(session, self.content("Two", *files), checkpoints)
        self.prepared(session, self.content("Two", *files), checkpoints)
        assert [fields.get("image_url", "")[-12:] for fields in self.made(server)] == [
            "p1.jpg?sig=1",
            "p2.jpg?sig=1",
            "p2.jpg?sig=1",
            "",
        ]

    # Files that Instagram fetches

    def test_files_are_judged_as_they_come(self, server: FakeInstagram) -> None:
        def refusal(body: bytes, kind: str = "image/jpeg") -> str:
            media = MediaFile("p1", "p1.jpg", kind, 8, 6, len(body), "", lambda: io.BytesIO(body))
            with pytest.raises(PublishError) as caught:
                self.prepared(self.session(server, media), self.content("Hi", media))
            assert caught.value.code in WORDS
            return caught.value.code

        png = io.BytesIO()
        Image.new("RGB", (8, 6)).save(png, "PNG")
        with picture(width=4, height=8).open() as tall, picture().open() as small:
            assert refusal(tall.read()) == "instagram.image_ratio"
            assert refusal(small.read() + b"0" * 9_000_000) == "instagram.image_too_large"
        assert refusal(png.getvalue()) == "instagram.image_format"

    def test_a_file_that_cannot_be_fetched_is_tried_again(self, server: FakeInstagram) -> None:
        session = self.session(server)
        post = self.content()
        self.files.files.clear()
        with self.refused(Temporary, "instagram.media_unfetched") as caught:
            self.prepared(session, post)
        assert caught.value.retry_after_seconds == 5

    # The quota

    @pytest.mark.parametrize("total", [50, 100])
    def test_a_used_up_quota_waits_before_anything_is_published(self, server: FakeInstagram, total: int) -> None:
        server.quota = {"used": total, "total": total}
        session, checkpoints = self.session(server), MemoryCheckpoints()
        with self.refused(RateLimited, "limit_used_up") as caught:
            self.prepared(session, self.content(), checkpoints)
        assert caught.value.scope == "account"
        assert caught.value.until - datetime.now(UTC) > timedelta(minutes=59)
        server.quota["used"] -= 1
        self.platform.commit(session, self.prepared(session, self.content(), checkpoints))
        assert len(self.made(server)) == 1

    def test_a_quota_that_cannot_be_read_holds_nothing_up(self, server: FakeInstagram) -> None:
        session = self.session(server)
        server.fault("content_publishing_limit", status=500)
        self.commit(session)
        server.fault("content_publishing_limit", status=400, body={"error": {"code": 100, "message": "no"}})
        self.commit(session)
        assert len(server.accepted) == 2

    # Publishing

    @pytest.mark.parametrize(
        ("status", "code", "subcode", "kind", "name"),
        [
            (400, -2, 2207003, OutcomeUnknown, "instagram.download_timeout"),
            (400, -2, 2207020, Temporary, "prepared_expired"),
            (400, -1, 2207001, OutcomeUnknown, "server_error"),
            (400, -1, 2207032, OutcomeUnknown, "instagram.container_failed"),
            (400, -1, 2207053, OutcomeUnknown, "instagram.upload_failed"),
            (400, 1, 2207057, ContentRejected, "instagram.cover_offset"),
            (403, 4, 2207051, OutcomeUnknown, "instagram.action_blocked"),
            (403, 4, 1349210, RateLimited, "rate_limited"),
            (403, 4, 0, RateLimited, "rate_limited"),
            (400, 17, 0, RateLimited, "rate_limited"),
            (400, 32, 0, RateLimited, "rate_limited"),
            (400, 613, 0, RateLimited, "rate_limited"),
            (403, 80002, 0, RateLimited, "rate_limited"),
            (400, 9, 2207042, RateLimited, "limit_used_up"),
            (400, 24, 2207006, Temporary, "instagram.media_missing"),
            (400, 24, 2207008, Temporary, "instagram.container_missing"),
            (400, 25, 2207050, ReconnectNeeded, "instagram.account_restricted"),
            (400, 100, 2207023, ContentRejected, "instagram.media_type"),
            (400, 100, 2207028, ContentRejected, "instagram.carousel_count"),
            (400, 100, 2207035, ContentRejected, "instagram.tag_refused"),
            (400, 100, 2207036, ContentRejected, "instagram.tag_refused"),
            (400, 100, 2207037, ContentRejected, "instagram.tag_refused"),
            (400, 100, 2207040, ContentRejected, "instagram.too_many_tags"),
            (400, 100, 33, OutcomeUnknown, "instagram.unreadable"),
            (400, 352, 2207026, ContentRejected, "instagram.video_refused"),
            (400, 9004, 2207052, Temporary, "instagram.media_unfetched"),
            (400, 9007, 2207027, NotReady, "media_processing"),
            (400, 36000, 2207004, ContentRejected, "instagram.image_too_large"),
            (400, 36001, 2207005, ContentRejected, "instagram.image_format"),
            (400, 36003, 2207009, ContentRejected, "instagram.image_ratio"),
            (400, 36004, 2207010, ContentRejected, "instagram.caption_too_long"),
            (400, 100, 2207081, ContentRejected, "instagram.no_trial_reels"),
            (400, 10, 0, ReconnectNeeded, "instagram.permission_missing"),
            (400, 200, 0, ReconnectNeeded, "instagram.permission_missing"),
            (400, 190, 0, TokenExpired, "token_expired"),
            (400, 190, 460, ReconnectNeeded, "instagram.password_changed"),
            (400, 1, 0, OutcomeUnknown, "server_error"),
            (400, 2, 0, OutcomeUnknown, "server_error"),
            (500, 2, 0, OutcomeUnknown, "server_error"),
            (400, 4711, 0, OutcomeUnknown, "unexpected_answer"),
        ],
    )
    def test_the_error_table_at_publishing_and_before(
        self, server: FakeInstagram, status: int, code: int, subcode: int, kind: type[PublishError], name: str
    ) -> None:
        refusal = Refused(code, subcode, "no", status)
        session = self.session(server)
        snapshot = self.prepared(session, self.content())
        server.publish_refusals = [refusal]
        with self.refused(kind, name):
            self.platform.commit(session, snapshot)
        assert not server.accepted
        # Where nothing is public yet, what passes is Temporary instead.
        server.fault(CREATE, status=status, body=refusal.answer.body)
        with self.refused(Temporary if kind is OutcomeUnknown else kind, name):
            self.prepared(session, self.content())

    def test_every_row_has_words_and_a_test(self) -> None:
        marks = type(self).test_the_error_table_at_publishing_and_before.pytestmark  # type: ignore[attr-defined]  # pytest's
        tested = {row[2] for row in marks[0].args[1]}
        assert {subcode for _code, subcode in ROWS} - tested == {2207077, 2207082, 2207085}  # of the status only

    def test_an_address_that_is_not_told_at_once_is_read_later(self, server: FakeInstagram) -> None:
        session = self.session(server)
        snapshot = self.prepared(session, self.content())
        server.fault("/v25.0/1790000000000000", status=400, body=Refused(100, 33).answer.body)
        published = self.platform.commit(session, snapshot)
        assert (published.url, published.settled) == ("", False)
        settled = self.platform.settle(session, snapshot, published)
        assert settled.settled
        assert settled.url == f"https://network.example/ada/{published.id}"
        assert len(server.accepted) == 1

    @pytest.mark.parametrize("fault", [{"status": 500}, {"kind": "cut"}, {"status": 200, "body": {"permalink": None}}])
    def test_an_address_that_never_comes_fails_nothing(self, server: FakeInstagram, fault: dict[str, Any]) -> None:
        session = self.session(server)
        snapshot = self.prepared(session, self.content())
        server.fault("/v25.0/1790000000000000", times=2, **fault)
        published = self.platform.settle(session, snapshot, self.platform.commit(session, snapshot))
        assert published == Published(published.id, "", published.response, settled=True)

    def test_a_repeat_asks_the_container_first(self, server: FakeInstagram) -> None:
        session = self.session(server)
        snapshot = self.prepared(session, self.content())
        self.platform.commit(session, snapshot)
        again = replace(session, sent_before=True)
        with self.refused(OutcomeUnknown, "already_published"):
            self.platform.commit(again, snapshot)
        assert server.paths().count(PUBLISH) == 1

    def test_a_repeat_of_what_never_came_is_published(self, server: FakeInstagram) -> None:
        session = self.session(server)
        snapshot = self.prepared(session, self.content())
        self.platform.commit(replace(session, sent_before=True), snapshot)
        assert len(server.accepted) == 1

    # Looking after silence

    def lost(self, server: FakeInstagram, text: str = "Hello", **options: Any) -> tuple[Session, Any, datetime]:
        """Publish, but let the answer get lost; return what ``find`` needs."""
        session = self.session(server)
        snapshot, marked_at = self.prepared(session, self.content(text, **options)), datetime.now(UTC)
        server.fault("media_publish", kind="cut", after=True)
        with self.refused(OutcomeUnknown):
            self.platform.commit(session, snapshot)
        return session, snapshot, marked_at

    @pytest.mark.parametrize(
        "refusal",
        [Refused(4, 2207051, "Application request limit reached", 403, is_transient=False), Refused(2, 0, "x", 500)],
    )
    def test_a_refusal_behind_which_the_post_is_live_makes_no_second(
        self, server: FakeInstagram, refusal: Refused
    ) -> None:
        session = self.session(server)
        snapshot, marked_at = self.prepared(session, self.content()), datetime.now(UTC)
        server.live_but = [refusal]
        with self.refused(OutcomeUnknown):
            self.platform.commit(session, snapshot)
        finding = self.platform.find(session, snapshot, marked_at)
        assert isinstance(finding, Found)
        assert finding.published.id == server.accepted[0]["key"]
        assert finding.published.url.startswith("https://network.example/ada/")

    def test_a_post_that_shows_late_is_looked_for_again(self, server: FakeInstagram) -> None:
        server.hidden_reads = 1
        session, snapshot, marked_at = self.lost(server)
        first = self.platform.find(session, snapshot, marked_at)
        assert first == CannotTell("published_unseen", look_again=True)
        assert isinstance(self.platform.find(session, snapshot, marked_at), Found)

    def test_an_unpublished_container_means_absent(self, server: FakeInstagram) -> None:
        session = self.session(server)
        snapshot = self.prepared(session, self.content())
        server.fault("media_publish", kind="cut")
        with self.refused(OutcomeUnknown):
            self.platform.commit(session, snapshot)
        assert self.platform.find(session, snapshot, datetime.now(UTC)) == Absent()

    def test_two_posts_of_one_text_are_not_told_apart(self, server: FakeInstagram) -> None:
        session, snapshot, marked_at = self.lost(server)
        server.posts.append({**server.posts[0], "id": "1"})
        assert self.platform.find(session, snapshot, marked_at) == CannotTell("several_match")

    def test_the_newest_post_is_not_taken_for_ours(self, server: FakeInstagram) -> None:
        session, snapshot, marked_at = self.lost(server)
        server.posts[0]["caption"] = "Another one"
        found = self.platform.find(session, snapshot, marked_at)
        assert found == CannotTell("published_unseen", look_again=True)

    def test_captions_that_are_left_out_match_nothing(self, server: FakeInstagram) -> None:
        server.captions_missing = True
        session, snapshot, marked_at = self.lost(server)
        found = self.platform.find(session, snapshot, marked_at)
        assert found == CannotTell("published_unseen", look_again=True)

    def test_an_older_post_of_the_same_text_is_not_ours(self, server: FakeInstagram) -> None:
        session, snapshot, marked_at = self.lost(server)
        server.posts[0]["timestamp"] = "2026-01-01T00:00:00+0000"
        found = self.platform.find(session, snapshot, marked_at)
        assert found == CannotTell("published_unseen", look_again=True)

    def test_a_story_is_looked_for_among_stories(self, server: FakeInstagram) -> None:
        session, snapshot, marked_at = self.lost(server, placement="story")
        assert isinstance(self.platform.find(session, snapshot, marked_at), Found)
        assert f"/v25.0/{IG_ID}/stories" in server.paths()

    def test_without_text_only_a_published_container_makes_a_post_ours(self, server: FakeInstagram) -> None:
        session, snapshot, marked_at = self.lost(server, "")
        assert isinstance(self.platform.find(session, snapshot, marked_at), Found)
        server.containers[snapshot["container"]].state = "FINISHED"
        found = self.platform.find(session, snapshot, marked_at)
        assert found == CannotTell("several_match", look_again=True)

    # The first comment

    def comment(self, session: Session) -> tuple[Session, Any]:
        post = self.commit(session)
        content = replace(self.content("#one #two"), media=(), kind="comment", part=1, parts=2)
        return replace(session, thread=(post,)), self.prepared(session, content)

    def test_a_first_comment_goes_below_the_post(self, server: FakeInstagram) -> None:
        session, snapshot = self.comment(self.session(server))
        published = self.platform.commit(session, snapshot)
        assert (server.seen[-1].path, sent(server.seen[-1])) == (
            f"/v25.0/{session.thread[0].id}/comments",
            {"message": "#one #two"},
        )
        assert published == Published(server.comments[0]["id"], session.thread[0].url)

    def test_a_comment_whose_answer_was_lost_is_found(self, server: FakeInstagram) -> None:
        session, snapshot = self.comment(self.session(server))
        marked_at = datetime.now(UTC)
        assert self.platform.find(session, snapshot, marked_at) == Absent()
        server.fault("/comments", status=500, after=True)
        with self.refused(OutcomeUnknown):
            self.platform.commit(session, snapshot)
        found = self.platform.find(session, snapshot, marked_at)
        assert isinstance(found, Found)
        assert found.published.id == server.comments[0]["id"]
        server.comments.append({**server.comments[0], "username": "somebody"})
        assert isinstance(self.platform.find(session, snapshot, marked_at), Found)
        server.comments.append({**server.comments[0], "id": "2"})
        assert self.platform.find(session, snapshot, marked_at) == CannotTell("several_match")

    # Logging in at Instagram

    def app_session(self, server: FakeInstagram, login: str = "") -> Session:
        app = replace(self.app(server), settings={"login": login} if login else {})
        return Session(an_http(), {}, {}, lambda: datetime.now(UTC), app=app)

    def test_people_log_in_at_instagram(self) -> None:
        session = Session(an_http(), {}, {}, lambda: datetime.now(UTC), app=App("client-1", "client-secret-1"))
        address = urlsplit(self.platform.authorize(session, {}, CALLBACK, {}).url)
        assert f"{address.scheme}://{address.netloc}{address.path}" == "https://www.instagram.com/oauth/authorize"
        assert parse_qs(address.query) == {
            "client_id": ["client-1"],
            "redirect_uri": [CALLBACK.redirect_uri],
            "response_type": ["code"],
            "scope": [SCOPES],
            "state": ["state-1"],
        }

    @pytest.mark.parametrize("wrapped", [True, False])
    @pytest.mark.parametrize("permissions", [SCOPES, SCOPES.split(",")])
    def test_a_code_becomes_a_token_of_sixty_days(self, server: FakeInstagram, wrapped: bool, permissions: Any) -> None:
        server.wrapped, server.permissions = wrapped, permissions
        session = self.app_session(server)
        tokens = self.platform.exchange(session, f"{CODE}#_", {}, CALLBACK, {})
        code, long = server.seen
        assert (code.method, code.path, code.query) == ("POST", "/oauth/access_token", {})
        assert code.form() == {
            "client_id": "client-1",
            "client_secret": "client-secret-1",
            "grant_type": "authorization_code",
            "redirect_uri": CALLBACK.redirect_uri,
            "code": CODE,
        }
        assert (long.method, long.path) == ("GET", "/access_token")
        (connection,) = self.platform.connections(session, tokens, {})
        assert (connection.identity.id, connection.identity.name) == (IG_ID, "ada")
        assert connection.credentials == {"access_token": TOKEN}
        assert connection.scopes == tuple(SCOPES.split(","))
        assert connection.expires_at is not None
        assert timedelta(days=59) < connection.expires_at - datetime.now(UTC) < timedelta(days=60)

    def test_an_unticked_right_is_named(self, server: FakeInstagram) -> None:
        server.permissions = "instagram_business_basic"
        with self.refused(ReconnectNeeded, "oauth.scope_missing") as caught:
            self.platform.exchange(self.app_session(server), CODE, {}, CALLBACK, {})
        assert caught.value.params["scopes"] == "instagram_business_content_publish"

    def test_a_used_code_and_a_wrong_app_secret_are_told_apart(self, server: FakeInstagram) -> None:
        session, used = self.app_session(server), CODE[::-1]  # a traceback shows the lines of this file
        with self.refused(ReconnectNeeded, "oauth.grant_refused", secrets=(used,)):
            self.platform.exchange(session, used, {}, CALLBACK, {})
        wrong = replace(session, app=replace(session.app, client_secret=used))
        with self.refused(ReconnectNeeded, "oauth.client_refused", secrets=(used,)):
            self.platform.exchange(wrong, CODE, {}, CALLBACK, {})

    def test_a_token_is_renewed_at_its_own_address(self, server: FakeInstagram) -> None:
        session = self.aged(self.session(server))
        connection = self.platform.refresh(session)
        seen = server.seen[-1]
        assert (seen.path, seen.query) == (
            "/refresh_access_token",
            {"grant_type": "ig_refresh_token", "access_token": TOKEN},
        )
        assert connection.identity.id == IG_ID
        assert connection.credentials == {"access_token": "IGAAtoken-of-sixty-days-2"}
        assert connection.expires_at is not None
        assert connection.expires_at - datetime.now(UTC) > timedelta(days=59)

    def aged(self, session: Session) -> Session:
        since = (session.now() - timedelta(days=2)).isoformat()
        return replace(session, config={**session.config, "token_since": since})

    def test_a_token_that_is_too_young_is_kept_where_it_still_works(self, server: FakeInstagram) -> None:
        session = self.session(server)
        assert self.platform.refresh(session).credentials == {"access_token": TOKEN}
        assert "/refresh_access_token" not in server.paths()
        server.end_tokens()
        with self.refused(ReconnectNeeded):
            self.platform.refresh(session)

    def test_a_token_that_is_over_is_not_renewed(self, server: FakeInstagram) -> None:
        session = self.aged(self.session(server))
        server.end_tokens()
        with self.refused(ReconnectNeeded, "oauth.grant_refused", secrets=(TOKEN,)):
            self.platform.refresh(session)

    def test_checking_posts_nothing(self, server: FakeInstagram) -> None:
        session = self.session(server)
        server.username = "ada.new"
        checked = self.platform.check(session)
        assert (checked.identity.id, checked.identity.name) == (IG_ID, "ada.new")
        assert checked.config["username"] == "ada.new"
        assert not [seen for seen in server.seen if seen.method == "POST"]

    # Logging in at Facebook

    def test_people_log_in_at_facebook_where_the_site_says_so(self) -> None:
        app = App("client-1", "client-secret-1", settings={"login": "facebook"})
        session = Session(an_http(), {}, {}, lambda: datetime.now(UTC), app=app)
        address = urlsplit(self.platform.authorize(session, {}, CALLBACK, {}).url)
        assert f"{address.netloc}{address.path}" == "www.facebook.com/v26.0/dialog/oauth"
        assert "instagram_content_publish" in parse_qs(address.query)["scope"][0]

    def test_the_accounts_of_all_pages_are_offered(self, server: FakeInstagram) -> None:
        session = self.app_session(server, "facebook")
        tokens = self.platform.exchange(session, CODE, {}, CALLBACK, {})
        assert [seen.path for seen in server.seen] == ["/v26.0/oauth/access_token"] * 2
        assert server.seen[-1].query["grant_type"] == "fb_exchange_token"
        found = self.platform.connections(session, tokens, {})
        assert [(each.identity.id, each.identity.name) for each in found] == [(IG_ID, "ada"), (SECOND_IG_ID, "second")]
        assert found[0].credentials == {"access_token": PAGE_TOKEN}
        assert found[0].expires_at is None

    def page_session(self, server: FakeInstagram) -> Session:
        session = self.app_session(server, "facebook")
        connection = self.platform.connections(session, {"access_token": FACEBOOK_TOKEN}, {})[0]
        media = {each.key: each for each in self.usual_media()}
        return replace(session, credentials=connection.credentials, config=connection.config, media=media)

    def test_a_page_publishes_at_facebooks_host(self, server: FakeInstagram) -> None:
        session = replace(self.page_session(server), app=replace(self.app(server), settings={}))
        self.commit(session)
        assert f"/v26.0/{IG_ID}/media_publish" in server.paths()
        assert self.platform.check(session).identity.id == IG_ID

    def test_a_pages_token_is_never_renewed(self, server: FakeInstagram) -> None:
        session = self.page_session(server)
        server.end_tokens()
        with self.refused(ReconnectNeeded, "oauth.grant_refused"):
            self.commit(session)
        with self.refused(ReconnectNeeded, "instagram.wrong_login"):
            self.platform.refresh(session)

    def test_a_declined_right_and_pages_without_an_account_are_named(self, server: FakeInstagram) -> None:
        session = self.app_session(server, "facebook")
        server.declined = "instagram_content_publish"
        with self.refused(ReconnectNeeded, "oauth.scope_missing"):
            self.platform.connections(session, {"access_token": FACEBOOK_TOKEN}, {})
        server.declined, server.pages = "", server.pages[:1]
        with self.refused(ReconnectNeeded, "instagram.no_professional_account"):
            self.platform.connections(session, {"access_token": FACEBOOK_TOKEN}, {})

    def test_a_token_of_the_other_product_is_refused(self, server: FakeInstagram) -> None:
        with self.refused(ReconnectNeeded):
            self.connect(server, access_token=FACEBOOK_TOKEN)

    # Limits that answers tell

    def test_a_usage_header_that_is_nearly_full_slows_down(self, server: FakeInstagram) -> None:
        told: list[Any] = []
        session = replace(self.session(server), exhausted=lambda until, scope: told.append(scope))
        server.headers = {"X-Business-Use-Case-Usage": f'{{"{IG_ID}": [{{"type": "instagram", "call_count": 97}}]}}'}
        self.commit(session)
        assert set(told) == {"account"}


def test_a_story_may_have_any_shape_and_a_post_in_the_feed_may_not() -> None:
    feed = instagram.PLATFORM.capabilities_with({}, {})
    story = instagram.PLATFORM.capabilities_with({"placement": "story"}, {})
    tall = Picture("image/jpeg", 1080, 1920, 1_000_000)
    with pytest.raises(ImpossibleError):
        plan_rendering(tall, feed.images)
    spec = plan_rendering(tall, story.images)
    assert (spec.format, spec.width * 16) == ("image/jpeg", spec.height * 9)
    assert (story.max_images, story.max_videos) == (1, 1)
    assert story.videos is not None
    assert story.videos.max_seconds == 60
