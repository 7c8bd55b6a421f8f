"""What is known of uploaded files: what there is to show, and which renderings are made. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from posts.media.inspect import Picture
from posts.media.plan import ImpossibleError, fit_of, plan_rendering
from posts.models import Delivery, DeliveryStatus, Media, MediaKind, MediaVariant, Post
from posts.publishing import registry

SHOWN_WHOLE_BYTES = 10_000_000
# What every browser shows; a HEIC picture has to be rendered first.
SHOWN_BY_BROWSERS = ("image/jpeg", "image/png", "image/gif", "image/webp")


def preview_of(media: Media) -> MediaVariant | Media | None:
    """Return the smallest rendering of ``media``, or the picture itself; ``None`` where there is nothing to show."""
    return media.variants.order_by("size_bytes").first() or (media if _is_shown(media) else None)


def picture_to_show(media: Media) -> MediaVariant | Media | None:
    """Return the picture itself where browsers show it and it is not huge, else what ``preview_of`` returns."""
    return media if _is_shown(media) and media.size_bytes <= SHOWN_WHOLE_BYTES else preview_of(media)


def has_preview(media: Media) -> bool:
    """Say whether there is something to show of ``media``; asks the database only where it must."""
    return _is_shown(media) or media.variants.exists()


@dataclass(frozen=True, slots=True)
class Renderings:
    """How many of the pictures that a post needs, on all its accounts, are ``ready``; one for several counts once."""

    ready: int
    wanted: int

    @property
    def are_made(self) -> bool:
        """Whether nothing is left to be rendered."""
        return self.ready >= self.wanted


def picture_of(media: Media) -> Picture:
    """Return the stored facts of a picture that a rendering is planned from."""
    has_alpha = bool(media.facts.get("has_alpha"))
    return Picture(media.mime_type, media.width, media.height, media.size_bytes, has_alpha)


def waiting_for(post: Post) -> list[Delivery]:
    """Return the deliveries of ``post`` that are still to go out, with their accounts."""
    states = (DeliveryStatus.SCHEDULED, DeliveryStatus.HELD, DeliveryStatus.PUBLISHING)
    return list(post.deliveries.filter(status__in=states).select_related("account").order_by("pk"))


def renderings_of(post: Post) -> Renderings:
    """Return how far the pictures of ``post`` are rendered for the accounts that it is still to go out on."""
    pictures = list(post.media.filter(kind=MediaKind.IMAGE))
    wanted = set(_specs(pictures, waiting_for(post))) if pictures else set()
    kept = MediaVariant.objects.filter(media__in=pictures).values_list("media_id", "spec_hash") if wanted else ()
    return Renderings(len(wanted & set(kept)), len(wanted))


def _specs(pictures: Iterable[Media], deliveries: Iterable[Delivery]) -> Iterator[tuple[int, str]]:
    for delivery in deliveries:
        platform = registry.platforms().get(delivery.account.platform)
        if platform is None:
            continue
        limits = platform.capabilities_with(delivery.options, delivery.account.config).images
        for picture in pictures:
            try:
                spec = plan_rendering(picture_of(picture), limits, fit_of(delivery.options))
            except ImpossibleError:
                continue
            yield picture.pk, spec.spec_hash


def _is_shown(media: Media) -> bool:
    return media.kind in (MediaKind.IMAGE, MediaKind.GIF) and media.mime_type in SHOWN_BY_BROWSERS
