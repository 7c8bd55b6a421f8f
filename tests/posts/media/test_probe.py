"""Looking into videos: what is found, and that hostile ones read nothing but themselves."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from posts.media import probe as probing
from posts.media.probe import DamagedVideo, VideoTooDemanding, can_probe, probe
from tests.posts.media.pictures import decoded, file
from tests.posts.media.test_render import fake_python, is_near

needs_pyav = pytest.mark.skipif(not can_probe(), reason="the extra video is not installed")


@contextmanager
def on_disk(data: bytes) -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as opened:
        opened.write(data)
        opened.flush()
        yield opened


def look(data: bytes, mime_type: str = "video/mp4") -> probing.VideoFacts:
    with on_disk(data) as opened:
        return probe(opened, mime_type)


@needs_pyav
@pytest.mark.parametrize(
    ("name", "mime_type", "codec", "sound", "size"),
    [
        ("clip.mp4", "video/mp4", "h264", "aac", (80, 40)),
        ("turned.mov", "video/quicktime", "h264", "", (40, 80)),
        ("clip.webm", "video/webm", "vp9", "", (80, 40)),
        ("clip.mkv", "video/x-matroska", "h264", "", (80, 40)),
    ],
)
def test_says_what_is_in_a_video(name: str, mime_type: str, codec: str, sound: str, size: tuple[int, int]) -> None:
    facts = look(file(name), mime_type)
    assert (facts.codec, facts.audio_codec, (facts.width, facts.height)) == (codec, sound, size)
    assert facts.duration_seconds == pytest.approx(0.5, abs=0.1)
    assert facts.frames_per_second == pytest.approx(24)
    assert decoded(facts.poster).size == size


@needs_pyav
def test_the_poster_stands_upright() -> None:
    poster = decoded(look(file("turned.mov"), "video/quicktime").poster)
    corner = poster.getpixel((5, 75))
    assert isinstance(corner, tuple)
    assert is_near(corner, (255, 0, 0), by=40)


@needs_pyav
@pytest.mark.parametrize("mime_type", list(probing.FORMATS))
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"\0\0\0\x18ftypisom" + bytes(4000),
        file("clip.mp4")[:1500],
        b"\x89PNG\r\n\x1a\n" + bytes(100),
    ],
)
def test_what_is_no_video_of_its_type_is_refused(data: bytes, mime_type: str) -> None:
    with pytest.raises(DamagedVideo, match="cut off or damaged"):
        look(data, mime_type)


@needs_pyav
def test_from_its_limits_on_the_process_can_open_nothing() -> None:
    code = (
        "from posts.media import prober\n"
        "def look(_format):\n"
        "    import socket\n"
        "    for what in (lambda: open('/etc/passwd'), lambda: socket.create_connection(('127.0.0.1', 9))):\n"
        "        try:\n"
        "            what()\n"
        "        except OSError as error:\n"
        "            assert error.errno == 24, error\n"
        "        else:\n"
        "            raise SystemExit('it could be opened')\n"
        "    return {'opened': False}, b''\n"
        "import socket\n"
        "prober._look_into = look\n"
        "raise SystemExit(prober.main())"
    )
    done = subprocess.run([sys.executable, "-c", code, "mov"], capture_output=True, input=b"", check=False)
    assert done.returncode == 0, done.stderr
    assert b'"opened": false' in done.stdout


@needs_pyav
def test_memory_is_limited() -> None:
    code = (
        "from posts.media import prober\n"
        "prober._look_into = lambda _format: bytearray(2 << 30)\n"
        "raise SystemExit(prober.main())"
    )
    done = subprocess.run([sys.executable, "-c", code, "mov"], capture_output=True, input=b"", check=False)
    assert done.returncode == 4


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("kill -SEGV $$", DamagedVideo),
        ("kill -KILL $$", VideoTooDemanding),
        ("kill -XCPU $$", VideoTooDemanding),
        ("exit 3", DamagedVideo),
        ("exit 4", VideoTooDemanding),
        ("exit 1", RuntimeError),
        ("printf 'nonsense'", DamagedVideo),
        ('printf \'{"width": -1, "height": 4}\'', DamagedVideo),
    ],
)
def test_each_end_of_the_process_has_its_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, expected: type[Exception]
) -> None:
    fake_python(monkeypatch, tmp_path, script)
    with pytest.raises(expected):
        look(b"anything")


def test_time_is_limited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_python(monkeypatch, tmp_path, "exec sleep 60")
    monkeypatch.setattr(probing, "TIMEOUT_SECONDS", 0.2)
    with pytest.raises(VideoTooDemanding):
        look(b"anything")
