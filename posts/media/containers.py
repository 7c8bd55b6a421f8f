"""Which kind of video or document a file is, by its first bytes. Reads nothing of what is in it."""

from __future__ import annotations

from collections.abc import Mapping

START_BYTES = 64
VIDEOS = ("video/mp4", "video/quicktime", "video/webm", "video/x-matroska")

# Major brands of ISO/IEC 14496-12, as on https://mp4ra.org/registered-types/brands; others are not played everywhere.
_BRANDS: Mapping[bytes, str] = {
    **dict.fromkeys((b"isom", b"iso2", b"iso3", b"iso4", b"iso5", b"iso6", b"iso7", b"iso8", b"iso9"), "video/mp4"),
    **dict.fromkeys((b"mp41", b"mp42", b"avc1", b"M4V ", b"M4VH", b"M4VP", b"dash", b"MSNV", b"XAVC"), "video/mp4"),
    b"qt  ": "video/quicktime",
}
_OLD_QUICKTIME = (b"moov", b"mdat", b"wide", b"pnot")
_EBML = b"\x1a\x45\xdf\xa3"
_DOC_TYPE = b"\x42\x82"  # the EBML element that names what the file holds
_DOC_TYPES = {b"webm": "video/webm", b"matroska": "video/x-matroska"}


def container_type(start: bytes) -> str | None:
    """Return the type of the video or document that begins with ``start`` (``START_BYTES``), ``None`` if it is none."""
    if start.startswith(b"%PDF-"):
        return "application/pdf"
    if start[4:8] == b"ftyp":
        return _BRANDS.get(start[8:12])
    if start[4:8] in _OLD_QUICKTIME:
        return "video/quicktime"
    if start.startswith(_EBML):
        kind = start.partition(_DOC_TYPE)[2][1:]
        return next((mime_type for name, mime_type in _DOC_TYPES.items() if kind.startswith(name)), None)
    return None
