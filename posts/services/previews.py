"""What a post will look like on one account: its parts, marked as the network marks them, its files, its comment.

Reads only, and asks no network. Counting, splitting, wording and the planning of pictures are those of publishing, so
what is shown is what goes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from posts.media.plan import Fit, ImpossibleError, fit_of, plan_rendering
from posts.models import Account, Delivery, Media, MediaKind, PostMedia
from posts.publishing import registry
from posts.publishing.capabilities import Capabilities, TextLimit
from posts.selectors.media import has_preview, picture_of
from posts.services.wording import comment_of, texts_of
from posts.text.counting import count
from posts.text.marks import Piece, marked

# A page shows so much of a post; what is beyond is counted, not shown.
MOST_PARTS, MOST_CHARACTERS, MOST_FILES = 25, 6_000, 4


@dataclass(frozen=True, slots=True)
class Length:
    """How long a text is by one of the platform's limits."""

    length: int
    maximum: int
    unit: str

    @property
    def is_over(self) -> bool:
        """Whether the limit is broken."""
        return self.length > self.maximum

    @property
    def share(self) -> float:
        """How much of the limit is used up: 1 is all of it."""
        return self.length / max(1, self.maximum)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a thread, or the post itself, or the comment. ``hidden`` characters at its end are not shown."""

    pieces: tuple[Piece, ...]
    lengths: tuple[Length, ...]
    hidden: int = 0

    @property
    def tightest(self) -> Length | None:
        """The limit that is used up most, which is the one to watch."""
        return max(self.lengths, key=lambda length: length.share, default=None)


@dataclass(frozen=True, slots=True)
class Picture:
    """One file as it will appear: the pixels of its rendering, and whether it is cropped or put on white for that.

    ``width`` is 0 where no rendering is made or possible.
    """

    media: Media
    alt_text: str
    width: int = 0
    height: int = 0
    fit: Fit = "refuse"
    has_preview: bool = True


@dataclass(frozen=True, slots=True)
class Preview:
    """A post on one account. ``more_parts`` and ``more_files`` are there, but not shown."""

    account: Account
    platform_label: str
    parts: tuple[Part, ...]
    pictures: tuple[Picture, ...]
    comment: Part | None
    more_parts: int = 0
    more_files: int = 0

    @property
    def is_thread(self) -> bool:
        """Whether it goes out in several parts."""
        return len(self.parts) > 1

    @property
    def part_count(self) -> int:
        """How many parts there are, shown or not."""
        return len(self.parts) + self.more_parts


def preview_of(delivery: Delivery, files: Sequence[PostMedia]) -> Preview | None:
    """Return how ``delivery`` (with its ``post``; neither need be saved) will look; ``None`` on unknown platforms."""
    account, platform = delivery.account, registry.platforms().get(delivery.account.platform)
    if platform is None:
        return None
    able = platform.capabilities_with(delivery.options, account.config)
    texts = texts_of(delivery, platform, with_media=bool(files))
    reserved = platform.reserved(delivery.options, account.config)
    limits = able.text_limits(with_media=bool(files))
    comment = comment_of(delivery, platform)
    return Preview(
        account=account,
        platform_label=platform.label,
        parts=tuple(_part(text, limits, able, reserved) for text in texts[:MOST_PARTS]),
        pictures=tuple(_pictures(files[:MOST_FILES], able, fit_of(delivery.options))),
        comment=_part(comment, able.comment, able) if comment else None,
        more_parts=max(0, len(texts) - MOST_PARTS),
        more_files=max(0, len(files) - MOST_FILES),
    )


def _part(text: str, limits: Iterable[TextLimit], able: Capabilities, reserved: int = 0) -> Part:
    lengths = tuple(
        Length(count(text, limit.unit, limit.link_length) + reserved, limit.maximum, limit.unit) for limit in limits
    )
    return Part(tuple(marked(text[:MOST_CHARACTERS], able.marks)), lengths, max(0, len(text) - MOST_CHARACTERS))


def _pictures(files: Iterable[PostMedia], able: Capabilities, fit: Fit) -> Iterator[Picture]:
    for file in files:
        media, alt_text = file.media, file.alt_text or file.media.alt_text
        shown = media.file_deleted_at is None and has_preview(media)
        if media.kind != MediaKind.IMAGE:
            yield Picture(media, alt_text, has_preview=shown)
            continue
        try:
            spec = plan_rendering(picture_of(media), able.images, fit)
        except ImpossibleError:  # validation says so beside the account
            yield Picture(media, alt_text, has_preview=shown)
        else:
            yield Picture(media, alt_text, spec.width, spec.height, spec.fit, shown)
