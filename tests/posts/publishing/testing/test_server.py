from __future__ import annotations

from dataclasses import replace

from posts.publishing.testing.server import Answer, FakeServer, Seen
from posts.publishing.testing.stand_ins import an_http


class Echo(FakeServer):
    def handle(self, seen: Seen) -> Answer:
        self.accept(account="a", text=seen.path)
        return Answer(200, {"path": seen.path})


def statuses(server: Echo, *paths: str) -> list[int]:
    return [an_http().request("GET", server.url + path).status for path in paths]


def test_a_fault_can_wait_for_its_turn() -> None:
    with Echo() as server:
        server.fault("/a", status=503, skip=1)
        assert statuses(server, "/a", "/b", "/a", "/a") == [200, 200, 503, 200]
        assert [post["text"] for post in server.accepted] == ["/a", "/b", "/a"]


def test_a_fault_can_come_after_the_request_was_carried_out() -> None:
    with Echo() as server:
        server.fault("", status=200, body="<html>", after=True)
        assert an_http().request("GET", f"{server.url}/a").text() == "<html>"
        assert len(server.accepted) == 1


def test_an_answer_can_be_rewritten() -> None:
    with Echo() as server:
        server.rewrite = lambda seen, answer: replace(answer, body={**answer.body, "more": seen.method})
        assert an_http().request("GET", f"{server.url}/a").json() == {"path": "/a", "more": "GET"}
