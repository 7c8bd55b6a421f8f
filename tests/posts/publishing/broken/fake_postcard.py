"""A Postcard server: tokens that end, uploads in pieces that are processed for three looks, cards under keys."""

from __future__ import annotations

from typing import Any

from posts.publishing.testing.server import Answer, FakeServer, Seen

SECRET = "open-sesame-1234"
ACCOUNT = {"id": "acct-77", "name": "Ada's cards"}


class FakePostcard(FakeServer):
    """One account, which logs in as "ada"."""

    keeps_bytes = 1 << 16

    def __init__(self) -> None:
        super().__init__()
        self.made = 0
        self.access = ""
        self.renewal = ""
        self.uploads: dict[str, dict[str, Any]] = {}
        self.cards: dict[str, dict[str, Any]] = {}  # by key
        self.numbers: list[dict[str, Any]] = []
        self.new_tokens()

    def new_tokens(self) -> None:
        """Make new tokens; those before are over."""
        self.made += 1
        self.access, self.renewal = f"access-token-{self.made:08}", f"renewal-token-{self.made:08}"

    def handle(self, seen: Seen) -> Answer:
        call = f"{seen.method} {seen.path}"
        if call == "POST /login":
            right = seen.json()["secret"] == SECRET and seen.json()["handle"] == "ada"
            return Answer(200, ACCOUNT | self.tokens()) if right else refused(401, "wrong_secret")
        if call == "POST /renew":
            if seen.json()["refresh_token"] != self.renewal:
                return refused(401, "wrong_secret")
            self.new_tokens()
            return Answer(200, ACCOUNT | self.tokens())
        if seen.headers.get("authorization") != f"Bearer {self.access}" and seen.query.get("token") != self.access:
            return refused(401, "token_over")
        if call == "GET /me":
            return Answer(200, ACCOUNT)
        if call == "GET /cards":
            return self.listed(seen)
        return self.posted(seen) if call == "POST /cards" else self.upload(seen, call)

    def tokens(self) -> dict[str, str]:
        return {"access_token": self.access, "refresh_token": self.renewal}

    def upload(self, seen: Seen, call: str) -> Answer:
        if call == "POST /uploads":
            self.made += 1
            number = f"file-{self.made}"
            self.uploads[number] = {"left": seen.json()["bytes"], "looks": 3, "ticket": f"ticket-{self.made}-secret"}
            address = f"{self.url}/pieces"
            return Answer(200, {"id": number, "ticket": self.uploads[number]["ticket"], "address": address})
        if call == "PUT /pieces":
            file = next(each for each in self.uploads.values() if each["ticket"] == seen.headers["x-ticket"])
            file["left"] -= seen.size_bytes
            return Answer(200, {})
        file = self.uploads[seen.path.rsplit("/", 1)[1]]
        assert file["left"] <= 0, "asked before everything was there"
        file["looks"] -= 1
        return Answer(200, {"state": "working" if file["looks"] >= 0 else "ready"})

    def posted(self, seen: Seen) -> Answer:
        asked, key = seen.json(), seen.headers.get("idempotency-key", "")
        if key in self.cards:
            return Answer(200, self.cards[key])
        if len(asked["text"].encode("utf-16-le")) > 600:
            return refused(422, "text_refused")
        self.made += 1
        card = {"id": f"card-{self.made}", "url": f"https://postcard.example/{self.made}"}
        self.cards[key] = card
        self.numbers.append(card | {"key": key, "text": asked["text"]})
        self.accept(account=ACCOUNT["id"], text=asked["text"], key=key, below=asked["below"], id=card["id"])
        return Answer(200, card)

    def listed(self, seen: Seen) -> Answer:
        key = seen.query.get("key")
        return Answer(200, {"cards": [card for card in reversed(self.numbers) if key in (None, card["key"])]})


def refused(status: int, error: str) -> Answer:
    return Answer(status, {"error": error, "message": "No."})
