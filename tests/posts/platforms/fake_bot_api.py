"""A Telegram Bot API server: one bot, a few chats, messages by JSON or multipart.

It keeps one webhook, and hands out the files that a test puts into ``files`` by their file_id.

As a process: ``python -m tests.posts.platforms.fake_bot_api --port 0``. The bot has TOKEN and may post in CHANNEL.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from PIL import Image

from tests.posts.platforms.fake_server import Answer, FakeServer, Seen, serve

TOKEN = "123456:AAFakeFakeFakeFakeFakeFakeFakeFake_-"
BOT_ID = 123456
CHANNEL = -1001234567890
PRIVATE_CHANNEL = -1009876543210
GROUP = -55555
FORUM = -1005550001111
TOPIC = 5
PERSON = 4242  # whose private chat with the bot has the same number
MAX_FILE_BYTES = 50 << 20
MAX_DOWNLOAD_BYTES = 20 << 20
NESTED = ("media", "reply_parameters", "link_preview_options", "reply_markup")  # JSON inside a form's field
LOGICAL = ("disable_notification", "protect_content", "has_spoiler", "supports_streaming")
WHOLE = ("width", "height", "duration", "message_thread_id")


class Refused(Exception):
    def __init__(self, status: int, description: str, **parameters: Any) -> None:
        body = {"ok": False, "error_code": status, "description": description}
        self.answer = Answer(status, body | ({"parameters": parameters} if parameters else {}))


class FakeBotApi(FakeServer):
    def __init__(self, port: int = 0, log: Path | None = None) -> None:
        super().__init__(port, log)
        self.chats: dict[int, dict[str, Any]] = {
            CHANNEL: {"id": CHANNEL, "type": "channel", "title": "News", "username": "news_channel"},
            PRIVATE_CHANNEL: {"id": PRIVATE_CHANNEL, "type": "channel", "title": "Inner circle"},
            GROUP: {"id": GROUP, "type": "group", "title": "Friends"},
            FORUM: {"id": FORUM, "type": "supergroup", "title": "Forum", "is_forum": True},
            PERSON: {"id": PERSON, "type": "private", "first_name": "Ada"},
        }
        self.files: dict[str, bytes] = {}  # by file_id
        self.webhook: dict[str, Any] = {"url": ""}
        self.member: dict[str, Any] = {"status": "administrator", "can_post_messages": True}
        self.moved: dict[int, int] = {}
        self.album_breaks_with = ""  # the second item fails with this, the others stay
        self.message_ids: set[int] = set()  # of all that were posted and not deleted
        self.topics = {TOPIC}
        self._last_id = 100

    def handle(self, seen: Seen) -> Answer:
        try:
            if seen.path.startswith(f"/file/bot{TOKEN}/files/"):
                return Answer(200, self.files[seen.path.rpartition("/")[2].removesuffix(".bin")])
            _, bot, method = seen.path.split("/", 2)
            if bot != f"bot{TOKEN}":
                malformed = ":" not in bot
                raise Refused(404, "Not Found") if malformed else Refused(401, "Unauthorized")
            call = getattr(self, f"_{method}", None)
            if call is None:
                raise Refused(404, "Not Found: method not found")
            return Answer(200, {"ok": True, "result": call(*self._read(seen))})
        except Refused as refused:
            return refused.answer

    def _read(self, seen: Seen) -> tuple[dict[str, Any], dict[str, bytes]]:
        if "json" in seen.headers.get("content-type", ""):
            return seen.json(), {}
        parts = seen.parts()
        fields: dict[str, Any] = {name: body.decode() for name, (filename, body) in parts.items() if not filename}
        for name, value in fields.items():
            if name in NESTED:
                fields[name] = json.loads(value)
            if name in LOGICAL:
                assert value in ("true", "false"), name
                fields[name] = value == "true"
            if name in WHOLE:
                fields[name] = int(value)
        return fields, {name: body for name, (filename, body) in parts.items() if filename}

    def _getMe(self, asked: dict[str, Any], files: dict[str, bytes]) -> dict[str, Any]:  # noqa: N802 - Telegram's name
        return {"id": BOT_ID, "is_bot": True, "first_name": "Poster", "username": "poster_bot"}

    def _getFile(self, asked: dict[str, Any], files: dict[str, bytes]) -> dict[str, Any]:  # noqa: N802 - theirs
        file_id = asked["file_id"]
        if file_id not in self.files:
            raise Refused(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        if len(self.files[file_id]) > MAX_DOWNLOAD_BYTES:
            raise Refused(400, "Bad Request: file is too big")
        size = len(self.files[file_id])
        return {"file_id": file_id, "file_unique_id": "u", "file_size": size, "file_path": f"files/{file_id}.bin"}

    def _setWebhook(self, asked: dict[str, Any], files: dict[str, bytes]) -> bool:  # noqa: N802 - theirs
        assert 1 <= len(asked["secret_token"]) <= 256
        self.webhook = asked
        return True

    def _deleteWebhook(self, asked: dict[str, Any], files: dict[str, bytes]) -> bool:  # noqa: N802 - theirs
        self.webhook = {"url": ""}
        return True

    def _getWebhookInfo(self, asked: dict[str, Any], files: dict[str, bytes]) -> dict[str, Any]:  # noqa: N802 - theirs
        told = {name: self.webhook[name] for name in self.webhook if name != "secret_token"}
        return {"has_custom_certificate": False, "pending_update_count": 0, **told}

    def _getChat(self, asked: dict[str, Any], files: dict[str, bytes]) -> dict[str, Any]:  # noqa: N802 - Telegram's name
        return self._chat(asked)

    def _getChatMember(self, asked: dict[str, Any], files: dict[str, bytes]) -> dict[str, Any]:  # noqa: N802 - theirs
        assert asked["user_id"] == BOT_ID
        return self.member

    def _sendMessage(self, asked: dict[str, Any], files: dict[str, bytes]) -> dict[str, Any]:  # noqa: N802 - theirs
        chat = self._place(asked)
        if not asked["text"].strip():
            raise Refused(400, "Bad Request: message text is empty")
        if len(asked["text"]) > 4096:
            raise Refused(400, "Bad Request: message is too long")
        message = self._message(chat, text=asked["text"])
        self._accept(chat, asked, asked["text"], [message], [])
        return message

    def _sendPhoto(self, asked: dict[str, Any], files: dict[str, bytes]) -> dict[str, Any]:  # noqa: N802 - theirs
        return self._one("photo", asked, files)

    def _sendVideo(self, asked: dict[str, Any], files: dict[str, bytes]) -> dict[str, Any]:  # noqa: N802 - theirs
        return self._one("video", asked, files)

    def _sendAnimation(self, asked: dict[str, Any], files: dict[str, bytes]) -> dict[str, Any]:  # noqa: N802 - theirs
        return self._one("animation", asked, files)

    def _sendDocument(self, asked: dict[str, Any], files: dict[str, bytes]) -> dict[str, Any]:  # noqa: N802 - theirs
        return self._one("document", asked, files)

    def _one(self, kind: str, asked: dict[str, Any], files: dict[str, bytes]) -> dict[str, Any]:
        chat, caption = self._place(asked), asked.get("caption", "")
        self._check_caption(caption)
        if set(files) - {"cover"} != {kind}:
            raise Refused(400, f"Bad Request: there is no {kind} in the request")
        message = self._message(chat, caption=caption, **self._stored(kind, files[kind]))
        self._accept(chat, asked, caption, [message], [len(files[kind])])
        return message

    def _sendMediaGroup(self, asked: dict[str, Any], files: dict[str, bytes]) -> list[dict[str, Any]]:  # noqa: N802
        chat, album = self._place(asked), asked["media"]
        if len(album) > 10:
            raise Refused(400, "Bad Request: too many messages to send as an album")
        kinds = {item["type"] for item in album}
        if "animation" in kinds or ("document" in kinds and len(kinds) > 1) or "reply_markup" in asked:
            raise Refused(400, "Bad Request: can't use the media of the specified type in the album")
        names = [item["media"].removeprefix("attach://") for item in album]
        covers = [item["cover"].removeprefix("attach://") for item in album if "cover" in item]
        if sorted(names + covers) != sorted(files):
            raise Refused(400, "Bad Request: wrong file identifier/HTTP URL specified")
        caption = album[0].get("caption", "")
        self._check_caption(caption)
        messages = [
            self._message(
                chat, caption=item.get("caption", ""), media_group_id="7", **self._stored(item["type"], files[name])
            )
            for item, name in zip(album, names, strict=True)
        ]
        if self.album_breaks_with:
            self._accept(chat, asked, caption, [messages[0], *messages[2:]], [])
            problem = f'failed to send message #2 with the error message "{self.album_breaks_with}"'
            raise Refused(400, f"Bad Request: {problem}")
        self._accept(chat, asked, caption, messages, [len(files[name]) for name in names])
        return messages

    def _place(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The chat, once the topic, the message that is answered and the buttons have been looked at."""
        chat = self._chat(asked)
        if "message_thread_id" in asked and asked["message_thread_id"] not in self.topics:
            raise Refused(400, "Bad Request: message thread not found")
        replied = asked.get("reply_parameters", {})
        is_known = replied.get("message_id") in self.message_ids or replied.get("allow_sending_without_reply") is True
        if replied and not is_known:
            raise Refused(400, "Bad Request: message to be replied not found")
        for (button,) in asked.get("reply_markup", {}).get("inline_keyboard", []):
            if "//localhost" in button["url"]:
                why = f"inline keyboard button URL '{button['url']}' is invalid: Wrong HTTP URL"
                raise Refused(400, f"Bad Request: {why}")
        return chat

    def _chat(self, asked: dict[str, Any]) -> dict[str, Any]:
        wanted = str(asked["chat_id"])
        for chat_id, chat in self.chats.items():
            if wanted in (str(chat_id), f"@{chat.get('username')}"):
                if chat_id in self.moved:
                    description = "Bad Request: group chat was upgraded to a supergroup chat"
                    raise Refused(400, description, migrate_to_chat_id=self.moved[chat_id])
                return chat
        raise Refused(400, "Bad Request: chat not found")

    def _check_caption(self, caption: str) -> None:
        if len(caption) > 1024:
            raise Refused(400, "Bad Request: message caption is too long")

    def _stored(self, kind: str, body: bytes) -> dict[str, Any]:
        if not body:
            raise Refused(400, "Bad Request: file must be non-empty")
        if len(body) > MAX_FILE_BYTES:
            raise Refused(413, "Request Entity Too Large")
        return {kind: self._photo(body) if kind == "photo" else {"file_id": "f", "file_size": len(body)}}

    def _photo(self, body: bytes) -> list[dict[str, Any]]:
        with Image.open(io.BytesIO(body)) as image:
            width, height = image.size
        if max(width, height) > 20 * min(width, height) or width + height > 10_000:
            raise Refused(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")
        return [{"file_id": "f", "file_unique_id": "u", "width": width, "height": height, "file_size": len(body)}]

    def _message(self, chat: dict[str, Any], **rest: Any) -> dict[str, Any]:
        self._last_id += 1
        self.message_ids.add(self._last_id)
        return {"message_id": self._last_id, "date": 1_800_000_000, "chat": chat, **rest}

    def _accept(
        self,
        chat: dict[str, Any],
        asked: dict[str, Any],
        text: str,
        messages: list[dict[str, Any]],
        sizes: list[int],
    ) -> None:
        ids = [message["message_id"] for message in messages]
        answers = asked.get("reply_parameters", {}).get("message_id")
        known = {"platform": "telegram", "account": str(chat["id"]), "key": ids[0], "text": text}
        self.accept(**known, messages=ids, sizes=sizes, asked=asked, answers=answers)


if __name__ == "__main__":
    serve(FakeBotApi)
