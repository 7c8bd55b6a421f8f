"""The platforms as facts for people: what they take, their limits, what a login grants, what this site lacks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from posts import conf
from posts.publishing import registry
from posts.publishing.capabilities import Capabilities, TextLimit, VideoLimits, Window
from posts.publishing.platform import Platform
from posts.publishing.types import Json
from queue_app import conf as queue_conf

NONE = "–"
UNITS = {
    "graphemes": "characters",
    "code_points": "characters",
    "utf16": "UTF-16 units",
    "utf8_bytes": "bytes",
    "x_weighted": _("weighted characters"),
    "mastodon": "characters",
    "threads": _("characters, emoji by bytes"),
}
COLUMNS = ("text", "pictures", "video", "documents", "threads", "login", "repeats", "windows")


@dataclass(frozen=True, slots=True)
class PlatformFacts:
    """One platform in words."""

    name: str
    label: str
    text: str
    pictures: str
    video: str
    documents: str
    threads: str
    login: str
    repeats: str
    windows: str
    scopes: tuple[str, ...]
    options: tuple[str, ...]

    def as_json(self) -> Json:
        """Return the facts without the name."""
        return {name: value for name, value in asdict(self).items() if name != "name"}

    def lines(self) -> list[str]:
        """Return the facts as lines of text."""
        rest = (("scopes", ", ".join(self.scopes)), ("options", ", ".join(self.options)))
        pairs = [(name, getattr(self, name)) for name in COLUMNS] + list(rest)
        return [f"{self.label} ({self.name})", *(f"  {name:<10} {value or NONE}" for name, value in pairs), ""]


def facts_of() -> list[PlatformFacts]:
    """Return every platform's facts, in the order of their names."""
    return [_facts(platform) for platform in registry.platforms().values()]


def matrix() -> str:
    """Return the facts as a table of Markdown, as docs/platforms.md has it."""
    heads = ("platform", *COLUMNS)
    rows = [(facts.label, *(getattr(facts, name) for name in COLUMNS)) for facts in facts_of()]
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") or NONE for cell in line) + " |" for line in lines)


def shortcomings() -> list[str]:
    """Return in words what this site lacks to use the platforms that are enabled."""
    return [lack for name in conf.get("ENABLED_PLATFORMS") for lack in shortcomings_of(name)]


def shortcomings_of(name: str) -> list[str]:
    """Return in words what this site lacks to use one platform."""
    platform = registry.platforms().get(name)
    if platform is None:
        return [gettext("%(name)s is enabled, but this site knows no such platform") % {"name": name}]
    found = []
    given, prefix = conf.of_platform(name), f"SOCIALQ_{name.upper()}"
    if platform.oauth is not None and platform.needs_app and not given.get("CLIENT_ID"):
        found.append(
            gettext("%(platform)s: set %(prefix)s_CLIENT_ID and %(prefix)s_CLIENT_SECRET. %(setup)s")
            % {"platform": platform.label, "prefix": prefix, "setup": platform.setup}
        )
    if platform.capabilities.fetches_media and not _is_public(str(queue_conf.get("SITE_URL"))):
        found.append(
            gettext("%(platform)s: it downloads files itself, so SITE_URL must be a public https:// address")
            % {"platform": platform.label}
        )
    return found


def _is_public(url: str) -> bool:
    return urlsplit(url).scheme == "https"


def _facts(platform: Platform) -> PlatformFacts:
    able = platform.capabilities
    spec = platform.oauth
    return PlatformFacts(
        name=platform.name,
        label=platform.label,
        text=_texts(able),
        pictures=_pictures(able),
        video=_video(able.videos, able.max_videos),
        documents=f"{able.max_documents}, {_bytes(able.documents.max_bytes)}" if able.documents else "",
        threads="threads" if able.threads else gettext("first comment") if able.comment else "",
        login=gettext("in the browser") if spec is not None else gettext("by a form"),
        repeats="safe" if platform.repeat_is_safe else gettext("looked up first"),
        windows=", ".join(map(window_words, platform.windows)),
        scopes=(*spec.scopes, *spec.optional_scopes) if spec is not None else (),
        options=tuple(option.name for option in platform.options),
    )


def _texts(able: Capabilities) -> str:
    said = _limits(able.text)
    return (
        gettext("%(said)s; with files %(limits)s") % {"said": said, "limits": _limits(able.caption)}
        if able.caption
        else said
    )


def _limits(limits: Iterable[TextLimit]) -> str:
    return ", ".join(f"{limit.maximum:,} {UNITS[limit.unit]}" for limit in limits)


def _pictures(able: Capabilities) -> str:
    if not able.max_images:
        return ""
    kinds = "/".join(kind.removeprefix("image/").upper() for kind in able.images.formats)
    return f"{able.max_images}, {_bytes(able.images.max_bytes)} {kinds}"


def _video(limits: VideoLimits | None, most: int) -> str:
    if limits is None or not most:
        return ""
    seconds = f", {limits.max_seconds:,.0f} s" if limits.max_seconds else ""
    return f"{most}, {_bytes(limits.max_bytes)}{seconds}"


def window_words(window: Window) -> str:
    """Return a window in words, as in “100 in 15 min”, with the choice that counts, if only one does: “(reel)”."""
    units = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
    unit, size = next((unit, size) for unit, size in units if window.seconds % size == 0)
    whose = gettext(" for the app") if window.scope == "app" else ""
    which = f" ({window.option[1]})" if window.option is not None else ""
    return gettext("%(count)s in %(seconds)s %(unit)s%(whose)s%(which)s") % {
        "count": f"{window.count:,}",
        "seconds": window.seconds // size,
        "unit": unit,
        "whose": whose,
        "which": which,
    }


def _bytes(number: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if number >= size:
            return f"{number / size:,.0f} {unit}"
    return gettext("%(number)s bytes") % {"number": number}
