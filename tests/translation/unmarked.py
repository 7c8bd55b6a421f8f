"""Finds words for people that no translation reaches: in templates, and in the Python that speaks to people."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

# A word: two letters in a row. Numbers, signs, single letters and entities need no translation.
WORD = re.compile(r"[^\W\d_]{2,}")
TRANSLATED = re.compile(r"{%\s*blocktrans(?:late)?\b.*?{%\s*endblocktrans(?:late)?\s*%}", re.DOTALL)
COMMENT = re.compile(r"{#.*?#}|{%\s*comment\b.*?{%\s*endcomment\s*%}", re.DOTALL)
# Blocks whose content is no text: classes of the body.
BODY_CLASS = re.compile(r"{%\s*block (?:bodyclass|coltype)\s*%}.*?{%\s*endblock[^%]*%}", re.DOTALL)
TAG = re.compile(r"{%.*?%}|{{.*?}}", re.DOTALL)
# Tags of ours and Django's that show a literal as it is: {% icon "check" %} shows no word, "default:'none'" does.
SPOKEN_FILTER = re.compile(r"\|\s*(?:default|default_if_none)\s*:\s*(?P<literal>\"[^\"]*\"|'[^']*')")
SPOKEN_ATTRIBUTES = ("alt", "aria-label", "aria-description", "placeholder", "title")
SILENT = ("code", "kbd", "pre", "samp", "script", "style")
NAMES = ("SocialQ", "CSV", "RRULE", "JSON", "UTM", "URL", "PDF", "UTC", "Ctrl", "Enter")

TRANSLATORS = ("_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy", "pgettext", "pgettext_lazy", "gettext_noop")
# Two words or more: names of fields, of templates, of states and the like are one.
SENTENCE = re.compile(r"[^\W\d_]{2,}[,:;.]? [^\W\d_]+")
# SQL, attributes of elements and headers of answers, which have blanks, too.
TECHNICAL = re.compile(
    r"\b(SELECT|UNION ALL|CAST|COUNT|PRAGMA)\b|[\w-]+=\""
    r"|^python manage| --[a-z]|; charset=|; filename=|^v\w+Field |^sq-|^<\w+"
)
# What these are set to is shown, be it one word.
SPOKEN_NAMES = (
    "label",
    "done",
    "title",
    "sure",
    "warning",
    "empty_hint",
    "help_text",
    "description",
    "short_description",
)
# Calls whose words nobody reads on a page, and keywords that hold code.
UNSPOKEN_CALLS = re.compile(
    r"logger\.|TypeError|RuntimeError|KeyError|AssertionError|re\.compile|RawSQL|add_argument|Setting\b|format_html"
)


def in_template(source: str) -> list[str]:
    """Return the words of a template that stand outside of ``translate`` and ``blocktranslate``."""
    text = COMMENT.sub("", TRANSLATED.sub("", BODY_CLASS.sub("", source)))
    spoken = [match["literal"][1:-1] for match in SPOKEN_FILTER.finditer(text)]
    reader = _Words()
    if "<" in text or '="' not in text:  # else it holds attributes for another template
        reader.feed(TAG.sub("", text))
        reader.close()
    return [found for found in (_trimmed(said) for said in [*spoken, *reader.said]) if _has_words(found)]


def in_python(source: str) -> list[tuple[int, str]]:
    """Return the line and the text of each sentence in Python that no translator is called with."""
    tree = ast.parse(source)
    return sorted(set(_sentences(tree, _docstrings(tree))))


def templates(folder: Path) -> Iterator[Path]:
    """Yield the templates below ``folder``."""
    yield from sorted(path for path in folder.rglob("*.html") if "templates" in path.parts)


class _Words(HTMLParser):
    """What a page says: its text, and the attributes that are read out or shown."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self._silent += tag in SILENT
        self.said += [values[name] for name in SPOKEN_ATTRIBUTES if name in values]
        if tag == "input" and values.get("type") in ("submit", "button", "reset"):
            self.said.append(values.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in SILENT

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.said.append(data)


def _sentences(node: ast.AST, docstrings: set[int]) -> Iterator[tuple[int, str]]:
    if id(node) in docstrings or _is_unspoken(node):
        return
    for value in _shown_values(node):
        if isinstance(value, ast.Constant) and isinstance(value.value, str) and WORD.search(value.value):
            yield value.lineno, value.value
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_sentence(node.value):
        yield node.lineno, node.value
    elif isinstance(node, ast.JoinedStr):
        parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
        said = "".join(map(str, parts))
        if WORD.search(said.replace("{}", "")) and " " in said and not TECHNICAL.search(said):
            yield node.lineno, said
    else:
        for child in ast.iter_child_nodes(node):
            yield from _sentences(child, docstrings)


def _is_sentence(text: str) -> bool:
    return SENTENCE.search(text) is not None and TECHNICAL.search(text) is None


def _shown_values(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what stands for a name, a keyword or a key whose value is shown to people."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=True))
            yield from (value for name, value in pairs if isinstance(name, ast.Name) and name.id in SPOKEN_NAMES)
    elif isinstance(node, ast.keyword) and node.arg in SPOKEN_NAMES:
        yield node.value
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value in SPOKEN_NAMES:
                yield value


def _is_unspoken(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = ast.unparse(node.func)
    return called.rsplit(".", 1)[-1] in TRANSLATORS or UNSPOKEN_CALLS.match(called) is not None


def _docstrings(tree: ast.Module) -> set[int]:
    return {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }


def _has_words(text: str) -> bool:
    return any(word not in NAMES for word in WORD.findall(text))


def _trimmed(text: str) -> str:
    return " ".join(re.sub(r"&\w+;", " ", text).split())
