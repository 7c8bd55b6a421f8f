"""What of a post's files a platform would not take, in words."""

from __future__ import annotations

from typing import Any

import pytest

from posts.models import Delivery, Media, PostMedia
from posts.publishing import registry
from posts.publishing.capabilities import Capabilities, DocumentLimits, ImageLimits, TextLimit, VideoLimits
from posts.publishing.errors import ContentRejected, Temporary
from posts.services.media import media_file
from posts.services.media_fit import media_notes, media_problems, misfits

PICTURES = ImageLimits(1_000_000, 4000)
CLIPS = VideoLimits(
    10_000_000,
    formats=("video/mp4", "video/quicktime"),
    max_seconds=140,
    min_seconds=3,
    min_side_pixels=100,
    max_side_pixels=1920,
    max_pixels=1920 * 1200,
    max_frames_per_second=60,
    min_aspect=0.5,
    max_aspect=2.0,
    codecs=("h264", "hevc"),
)
ONE_KIND = Capabilities(
    (),
    4,
    PICTURES,
    alt_text=(TextLimit("graphemes", 10),),
    max_videos=1,
    videos=CLIPS,
    gifs=VideoLimits(1_000_000, formats=("image/gif",)),
    max_documents=1,
    documents=DocumentLimits(1_000),
)
MIXED = Capabilities((), 4, PICTURES, max_videos=4, videos=CLIPS, mixes=True)
PICTURES_ONLY = Capabilities((), 2, PICTURES, needs_media=True)


def image(**fields: Any) -> Media:
    return Media(
        **{"kind": "image", "mime_type": "image/jpeg", "width": 800, "height": 600, "size_bytes": 900} | fields
    )


def clip(**fields: Any) -> Media:
    known = {"kind": "video", "mime_type": "video/mp4", "width": 1280, "height": 720, "size_bytes": 900}
    facts = {"codec": "h264", "audio_codec": "aac", "frames_per_second": 30.0}
    return Media(**known | {"duration_seconds": 10.0, "facts": facts} | fields)


def gif(**fields: Any) -> Media:
    known = {"kind": "gif", "mime_type": "image/gif", "width": 80, "height": 60, "size_bytes": 900}
    return Media(**known | {"facts": {"frames": 3}} | fields)


def document(**fields: Any) -> Media:
    return Media(
        **{"kind": "document", "mime_type": "application/pdf", "width": 0, "height": 0, "size_bytes": 900} | fields
    )


def said(able: Capabilities, *files: Media, alt_text: str = "") -> list[str]:
    named = [PostMedia(media=media, position=n, alt_text=alt_text) for n, media in enumerate(files)]
    for place, media in enumerate(files, 1):
        media.original_name = f"file-{place}"
    return [text for _, text in media_problems(named, able, "refuse")]


@pytest.mark.parametrize(
    ("able", "files"),
    [
        (ONE_KIND, [image(), image(), image(), image()]),
        (ONE_KIND, [clip()]),
        (ONE_KIND, [gif()]),
        (ONE_KIND, [document()]),
        (ONE_KIND, []),
        (MIXED, [image(), clip(), image()]),
    ],
)
def test_what_fits_has_no_problem(able: Capabilities, files: list[Media]) -> None:
    assert said(able, *files) == []


@pytest.mark.parametrize(
    ("able", "files", "sentences"),
    [
        (ONE_KIND, [image()] * 5, ["the post has 5 pictures, the limit is 4"]),
        (ONE_KIND, [clip(), clip()], ["the post has 2 videos, the limit is 1"]),
        (ONE_KIND, [gif(), gif()], ["the post has 2 animated pictures, the limit is 1"]),
        (ONE_KIND, [document(), document()], ["the post has 2 documents, the limit is 1"]),
        (ONE_KIND, [image(), clip()], ["pictures and videos do not go together there; keep one kind"]),
        (ONE_KIND, [image(), gif()], ["pictures and animated pictures do not go together there; keep one kind"]),
        (MIXED, [image(), document()], ["no documents can be posted there; take them off, or the account"]),
        (MIXED, [image(), clip(), clip(), image(), image()], ["the post has 5 files, the limit is 4"]),
        (PICTURES_ONLY, [], ["a post there needs a file; attach one"]),
        (PICTURES_ONLY, [gif()], ["no animated pictures can be posted there; take them off, or the account"]),
        (PICTURES_ONLY, [clip(size_bytes=10**9)], ["no videos can be posted there; take them off, or the account"]),
    ],
)
def test_numbers_and_mixes_are_counted_by_kind(able: Capabilities, files: list[Media], sentences: list[str]) -> None:
    assert said(able, *files) == sentences


@pytest.mark.parametrize(
    ("media", "sentence"),
    [
        (clip(mime_type="video/webm"), "it is WEBM, MP4 or MOV is taken"),
        (clip(size_bytes=10_000_001), "it has 10,000,001 bytes, at most 10,000,000 are allowed"),
        (clip(duration_seconds=141.0), "it is 141.0 seconds long, at most 140 are allowed"),
        (clip(duration_seconds=2.9), "it is 2.9 seconds long, at least 3 are needed"),
        (clip(width=2000, height=1100), "it has 2,000 by 1,100 pixels, a side may have at most 1,920"),
        (clip(width=99, height=99), "it has 99 by 99 pixels, a side needs at least 100"),
        (
            clip(width=1920, height=1201),
            "it has 1,920 by 1,201 pixels, 2,305,920 together; at most 2,304,000 are allowed",
        ),
        (clip(width=900, height=400), "it is 2.25 times as wide as high, at most 2 times is allowed"),
        (clip(width=300, height=900), "it is 0.33 times as wide as high, at least 0.5 times is needed"),
        (
            clip(facts={"codec": "h264", "frames_per_second": 120.0}),
            "it has 120 frames a second, at most 60 are allowed",
        ),
        (clip(facts={"codec": "vp9", "frames_per_second": 30.0}), "it is coded as vp9, h264 or hevc is taken"),
        (gif(mime_type="image/webp"), "it is WEBP, GIF is taken"),
        (gif(size_bytes=1_000_001), "it has 1,000,001 bytes, at most 1,000,000 are allowed"),
        (document(size_bytes=1_001), "it has 1,001 bytes, at most 1,000 are allowed"),
    ],
)
def test_each_limit_has_its_sentence(media: Media, sentence: str) -> None:
    assert list(misfits(media, ONE_KIND)) == [sentence]
    assert said(ONE_KIND, media)[0].endswith(f"1 (“file-1”) does not fit: {sentence}")


def test_what_is_rounded_in_a_file_is_not_held_against_it() -> None:
    assert said(ONE_KIND, clip(duration_seconds=140.05)) == []
    assert said(ONE_KIND, clip(facts={"codec": "h264", "frames_per_second": 60.02})) == []


def test_what_is_not_known_of_a_video_is_not_judged_but_said() -> None:
    unseen = clip(width=0, height=0, duration_seconds=None, facts={})
    assert said(ONE_KIND, unseen) == []
    (note,) = media_notes([PostMedia(media=unseen, position=0)])
    assert "nobody has looked into video 1" in note
    assert "extra “video”" in note
    assert list(media_notes([PostMedia(media=clip(), position=0), PostMedia(media=image(), position=1)])) == []


def test_alt_texts_are_counted_where_there_are_any() -> None:
    long = "eleven long"
    assert said(ONE_KIND, image(), alt_text=long) == [
        "the alt text of picture 1 (“file-1”) has 11 characters, the limit is 10"
    ]
    assert len(said(ONE_KIND, clip(), alt_text=long)) == 1
    assert said(ONE_KIND, document(), alt_text=long) == []
    silent = Capabilities((), 4, PICTURES, alt_text=(TextLimit("graphemes", 10),), supports_alt_text=False)
    assert said(silent, image(), alt_text=long) == []


@pytest.mark.parametrize("name", registry.platforms())
@pytest.mark.parametrize(
    "media",
    [gif(), gif(mime_type="image/webp"), gif(mime_type="image/png"), clip(), clip(mime_type="video/webm"), document()],
    ids=lambda media: media.mime_type,
)
def test_what_no_platform_renders_is_inside_its_limits_or_refused(name: str, media: Media) -> None:
    able = registry.get(name).capabilities
    if said(able, media):
        return
    limits = {"gif": able.gifs, "video": able.videos, "document": able.documents}[media.kind]
    assert limits is not None
    assert media.mime_type in limits.formats
    assert media.size_bytes <= limits.max_bytes


class Takes:
    """A platform of which only the limits count."""

    def __init__(self, able: Capabilities) -> None:
        self.able = able

    def capabilities_with(self, options: Any, config: Any) -> Capabilities:
        return self.able


@pytest.mark.django_db(transaction=True)
def test_what_does_not_fit_is_refused_once_more_before_it_is_sent(settings: Any, tmp_path: Any) -> None:
    from django.core.files.base import ContentFile

    from posts.services.media import store_upload
    from tests.posts.making import account, draft
    from tests.posts.media.pictures import moving

    settings.MEDIA_ROOT = tmp_path
    media = store_upload(ContentFile(moving("GIF")), owner=None, original_name="cat.gif")
    attached = draft(account(), media=[media]).post_media.select_related("media").get()
    delivery: Any = Delivery(account=account("Bob"))
    takes: Any = Takes(ONE_KIND)
    sent = media_file(attached, delivery, takes)
    assert (sent.kind, sent.filename, sent.mime_type) == ("gif", "picture-1.gif", "image/gif")
    assert sent.read() == moving("GIF")
    takes = Takes(PICTURES_ONLY)
    with pytest.raises(ContentRejected, match="media_unusable") as raised:
        media_file(attached, delivery, takes)
    assert raised.value.params["reason"] == "animated pictures are not taken there."
    attached.media.file.storage.delete(media.file.name)
    takes = Takes(ONE_KIND)
    with pytest.raises(Temporary, match="media_unreadable"):
        media_file(attached, delivery, takes)
