"""What is wrong with a page, as its reader would find out: by eye, by keyboard, by a screen reader."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

SERIOUS = ("serious", "critical")
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
# A live part that is exchanged meanwhile would lose its marks.
STILL = """() => document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target.closest("[data-live]")) event.preventDefault();
}, true)"""
# Marks the rows and cards that are made like one before, whatever their words say: nothing new is found in them.
ALIKE = """() => {
  const WORDS = /(href|src|alt|value|title|datetime|aria-label)="[^"]+"/g;
  const seen = new Set();
  for (const each of document.querySelectorAll("tbody tr, article, li")) {
    const made = each.outerHTML.replace(/>\\s*[^<\\s][^<]*/g, ">word").replace(WORDS, '$1="word"')
      .replace(/\\d+/g, "0");
    each.toggleAttribute("data-alike", seen.has(made));
    seen.add(made);
  }
}"""
# Marks what can be reached, with its looks while it has no focus; of radio buttons Tab reaches one a group.
MARK = """() => {
  const looks = (e) => { const s = getComputedStyle(e); return [s.outline, s.boxShadow, s.borderColor, s.color,
    s.backgroundColor, s.textDecoration].join("|"); };
  window.sqLooks = looks;
  window.sqReach = [...document.querySelectorAll(
    "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]")].filter((e) =>
    e.tabIndex >= 0 && !e.matches(":disabled") && e.checkVisibility({visibilityProperty: true}) && e.type !== "radio");
  window.sqBefore = window.sqReach.map(looks);
  document.activeElement?.blur();
  return window.sqReach.length;
}"""
# Which of them has the focus, and whether that can be seen.
FOCUSED = """() => {
  const at = window.sqReach.indexOf(document.activeElement);
  return [at, at >= 0 && window.sqLooks(document.activeElement) !== window.sqBefore[at]];
}"""
NAMED = "(at) => window.sqReach[at].outerHTML.slice(0, 120)"


def judge(page: Page, scheme: Literal["light", "dark"], width: int) -> Iterator[str]:
    """Look at the page that is open, in these colours and at this width; yield each thing that is wrong."""
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate("() => Promise.allSettled(document.getAnimations().map((each) => each.finished))")
    reached = page.evaluate("document.documentElement.scrollWidth")
    if reached > width:
        yield f"scrolls sideways: {reached} px"
    page.evaluate(ALIKE)
    for found in Axe().run(page, {"exclude": [["[data-alike]"]]}).response["violations"]:
        if found["impact"] in SERIOUS:
            nodes = found["nodes"]
            yield f"axe {found['id']} ({found['impact']}), {len(nodes)}: {nodes[0]['target']} {nodes[0]['html'][:150]}"


def widths(page: Page) -> dict[str, int]:
    """Return how wide the page that is open is in each scheme of colours, in pixels."""
    found = {}
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        found[scheme] = int(page.evaluate("document.documentElement.scrollWidth"))
    return found


def judge_words(page: Page) -> Iterator[str]:
    """Yield what a page lacks that says what it is."""
    if not page.title().strip():
        yield "has no title"
    if page.locator("h1").count() == 0:
        yield "has no h1"


def judge_keyboard(page: Page) -> Iterator[str]:
    """Go through the page by Tab; yield what cannot be reached, and where the focus cannot be seen."""
    page.evaluate(STILL)
    total = page.evaluate(MARK)
    reached: dict[int, bool] = {}
    for _press in range(8 * total + 20):
        page.keyboard.press("Tab")
        at, is_seen = page.evaluate(FOCUSED)
        if at >= 0:
            reached[at] = reached.get(at, False) or is_seen
        if len(reached) == total:
            break
    for at in range(total):
        if at not in reached:
            yield f"Tab does not reach {page.evaluate(NAMED, at)}"
        elif not reached[at]:
            yield f"no focus is seen on {page.evaluate(NAMED, at)}"
