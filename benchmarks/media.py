"""Rendering pictures beside a plain Pillow loop: ``python -m benchmarks.media``, or ``make bench-media``.

Both make the same pictures of the same sources in the same run, by turns: ours each in a process of its own with its
limits, the plain loop (open, turn upright, resize, save) all in one process with none. Prints pictures a second, the
peak memory and how they compare, and writes JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any

from PIL import Image

from benchmarks import origin
from benchmarks.queues import ROOT
from benchmarks.report import RESULTS, aligned
from posts.media.inspect import inspect_picture
from posts.media.plan import plan_rendering
from posts.publishing.capabilities import ImageLimits

STORED = RESULTS.with_name("media.json")
LIMITS = ImageLimits(max_bytes=2_000_000, max_side_pixels=2048)
OURS, PLAIN = "ours", "plain"
ROUNDS, PICTURES = 5, 8
QUICK_ROUNDS, QUICK_PICTURES = 2, 2

# Each is run as a program of its own with the sources' paths; prints seconds and the peak memory in KiB of whichever
# process decoded. Linux counts to a child what its parent had when it began, so ours is at least a worker's own size.
PROGRAMS: Mapping[str, str] = {
    OURS: """
import json, resource, sys, time
from io import BytesIO
from pathlib import Path
from posts.media.inspect import inspect_picture
from posts.media.plan import plan_rendering
from posts.media.render import render
from benchmarks.media import LIMITS
began = time.perf_counter()
for path in sys.argv[1:]:
    source = Path(path).read_bytes()
    spec = plan_rendering(inspect_picture(BytesIO(source), path, max_bytes=len(source)), LIMITS)
    Path(path + ".ours").write_bytes(render(source, spec))
print(json.dumps([time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]))
""",
    PLAIN: """
import json, sys, time
from PIL import Image, ImageOps
began = time.perf_counter()
for path in sys.argv[1:]:
    picture = ImageOps.exif_transpose(Image.open(path))
    picture.thumbnail((2048, 2048), Image.Resampling.LANCZOS)
    lossless = picture.format == "PNG" or path.endswith(".png")
    options = {} if lossless else {"quality": 90, "optimize": True, "progressive": True}
    picture.save(path + ".plain", "PNG" if lossless else "JPEG", **options)
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([time.perf_counter() - began, int(peak)]))
""",
}


def photo(width: int, height: int) -> bytes:
    """Return a JPEG with the detail of a photo: smooth at large, grainy at small."""
    rough = Image.frombytes("RGB", (64, 48), random.Random(7).randbytes(64 * 48 * 3))  # noqa: S311 - no secret
    smooth = rough.resize((width, height), Image.Resampling.BICUBIC)
    grain = Image.effect_noise((width, height), 24).convert("RGB")
    buffer = BytesIO()
    Image.blend(smooth, grain, 0.15).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def drawing(width: int, height: int) -> bytes:
    """Return a PNG like a screenshot: flat areas with sharp edges."""
    picture = Image.new("RGB", (width, height), "white")
    dice = random.Random(7)  # noqa: S311 - no secret
    for _ in range(400):
        left, top = dice.randrange(width), dice.randrange(height)
        colour = (dice.randrange(256), dice.randrange(256), dice.randrange(256))
        picture.paste(colour, (left, top, left + dice.randrange(200), top + dice.randrange(40)))
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


SOURCES: Mapping[str, tuple[str, Callable[[], bytes]]] = {
    "photo of 12 megapixels": (".jpg", lambda: photo(4032, 3024)),
    "photo of 2 megapixels": (".jpg", lambda: photo(1632, 1224)),
    "screenshot of 2 megapixels": (".png", lambda: drawing(1920, 1080)),
}


def measure(kind: str, paths: Sequence[str]) -> tuple[float, float]:
    """Render the files at ``paths`` once; return pictures a second and the peak memory in MB."""
    done = subprocess.run([sys.executable, "-c", PROGRAMS[kind], *paths], cwd=ROOT, capture_output=True, check=True)
    seconds, kib = json.loads(done.stdout)
    return len(paths) / seconds, kib * 1024 / 1_000_000


def figures(rounds: Mapping[str, Sequence[tuple[float, float]]]) -> dict[str, float]:
    """Return the medians of both, and ours as a share of the plain loop's."""
    found = {}
    for kind, told in rounds.items():
        found[f"{kind}_a_second"] = median(speed for speed, _memory in told)
        found[f"{kind}_peak_mb"] = max(memory for _speed, memory in told)
    # By turns on one machine: a round's two halves had the same machine, however busy it was.
    speeds = [ours[0] / plain[0] for ours, plain in zip(rounds[OURS], rounds[PLAIN], strict=True)]
    return found | {
        "speed_share": median(speeds),
        "memory_share": found[f"{OURS}_peak_mb"] / found[f"{PLAIN}_peak_mb"],
    }


def table(result: dict[str, Any]) -> list[list[str]]:
    """Return a line of headings, then one line for each kind of source."""
    heading = ["", "ours, pictures a second", "plain", "ours/plain", "ours, peak MB", "plain", "ours/plain"]
    names = ("ours_a_second", "plain_a_second", "speed_share", "ours_peak_mb", "plain_peak_mb", "memory_share")
    shown = ("{:.1f}", "{:.1f}", "{:.2f}", "{:.0f}", "{:.0f}", "{:.2f}")
    rows = [
        [run["source"], *(form.format(run[name]) for form, name in zip(shown, names, strict=True))]
        for run in result["runs"]
    ]
    return [heading, *rows]


def main() -> None:
    """Measure, print and store."""
    options = _options()
    rounds, pictures = (QUICK_ROUNDS, QUICK_PICTURES) if options.quick else (ROUNDS, PICTURES)
    result: dict[str, Any] = {
        "commit": origin.commit(),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "rounds": rounds,
        "pictures": pictures,
        "machine": origin.machine(),
        "load": os.getloadavg()[0],
        "runs": [],
    }
    with tempfile.TemporaryDirectory(prefix="socialq-media-") as folder:
        for name, (ending, make) in SOURCES.items():
            source = make()
            paths = [str(Path(folder) / f"{number}{ending}") for number in range(pictures)]
            for path in paths:
                Path(path).write_bytes(source)
            told: dict[str, list[tuple[float, float]]] = {OURS: [], PLAIN: []}
            for number in range(rounds):
                for kind in (OURS, PLAIN) if number % 2 else (PLAIN, OURS):
                    told[kind].append(measure(kind, paths))
            result["runs"].append({"source": name, **_sizes(source), **figures(told)})
    print(aligned(table(result), "rendering pictures"))
    options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _sizes(source: bytes) -> dict[str, Any]:
    picture = inspect_picture(BytesIO(source), "source", max_bytes=len(source))
    spec = plan_rendering(picture, LIMITS)
    return {
        "source_bytes": len(source),
        "source_size": [picture.width, picture.height],
        "rendered_size": [spec.width, spec.height],
        "rendered_format": spec.format,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.media", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a first look, in seconds")
    parser.add_argument("--json", type=Path, default=STORED, help="where to write (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
