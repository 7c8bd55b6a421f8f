"""Pages of the docs are followed as a reader would: commands run, files written, and what is shown is waited for."""

from __future__ import annotations

import re
from typing import Any

from tests.host import HostSite

BLOCK = re.compile(r"^```(sh|python|text)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (?P<path>\S+\.py)(?P<added>, at its end)?(, on (?P<only>\w[\w. ]*))?\n")
SHELL = "# python manage.py shell\n"
# What differs from run to run: times, and numbers with a fraction.
VARYING = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|\d+\.\d+")
INSTALLATION = ("python -m build --wheel", "python -m pip install dist/socialq-0.1.0-py3-none-any.whl")


class Reader:
    """Does in ``site`` what a page says; of what is said for one case only, that of ``cases``, as SQLite or Django 6.1.

    ``cluster`` is the process that it starts.
    """

    def __init__(self, site: HostSite, *cases: str) -> None:
        self.site = site
        self.cluster: Any = None
        self._cases = (None, *cases)
        self._said = ""
        self._again: tuple[str, ...] = ()

    def follow(self, page: str) -> None:
        """Run every block of ``page``, or of a part of one."""
        for kind, text in BLOCK.findall(page):
            match kind:
                case "sh":
                    for line in text.splitlines():
                        self._type(line)
                case "python":
                    self._enter(text)
                case _:
                    self._wait_for(text)

    def _type(self, line: str) -> None:
        match line.split():
            case ["python", "-m", ("build" | "pip"), *_]:
                assert line in INSTALLATION  # done by the fixture, without a network
            case ["python", "manage.py", "qcluster"]:
                self.cluster = self.site.spawn("qcluster")
            case ["python", "manage.py", *arguments]:
                self._again = tuple(arguments)
                self._said = self.site.manage(*arguments).stdout
            case ["python", *arguments]:
                self.site.run(*arguments)
            case _:
                raise AssertionError(f"the page has a command that its test does not know: {line}")

    def _enter(self, code: str) -> None:
        if code.startswith(SHELL):
            self._again = ()
            self._said = self.site.manage("shell", input=code).stdout
            return
        head = FILE.match(code)
        assert head, f"a block of the page does not say where it belongs: {code}"
        if head["only"] in self._cases:
            with (self.site.directory / head["path"]).open("a" if head["added"] else "w") as file:
                file.write(code)

    def _wait_for(self, text: str) -> None:
        try:
            self.site.wait_until(lambda: self._was_said(text), 60)
        except AssertionError as error:
            raise AssertionError(f"the page shows\n{text}\nand what was printed is\n{self._said}\n{error}") from error

    def _was_said(self, text: str) -> bool:
        """Say whether the last command has printed the lines of ``text``; if not, ask it once more."""
        said = VARYING.sub("#", self._said).splitlines()
        if all(line in said for line in VARYING.sub("#", text).splitlines()):
            return True
        assert self._again, f"the page shows\n{text}\nand what was printed is\n{self._said}"
        self._said = self.site.manage(*self._again).stdout
        return False
