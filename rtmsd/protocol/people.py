"""Who is behind the user ids of a stream: channels of a contact centre, and names that change.

A user id belongs to a connection, not to a person: it may come back as somebody else (protocol.md §5.0, §9.1 #25).
"""

from __future__ import annotations

import hashlib

from rtmsd.frames import Event

MAX_PEOPLE = 2000
MAX_CHANNEL_LENGTH = 512


class People:
    """What is known of a stream's user ids. `news` gathers events until they are taken; `hidden` counts renames
    beyond MAX_RENAMES, which are not told any more."""

    MAX_RENAMES = 200

    def __init__(self) -> None:
        self.news: list[Event] = []
        self.renames = 0
        self._names: dict[int, tuple[str, int]] = {}  # by user: the name, and when it was last told
        self._channels: dict[str, int] = {}

    @property
    def hidden(self) -> int:
        return max(0, self.renames - self.MAX_RENAMES)

    def named(self, user_id: int, name: str | None, at_ms: int) -> None:
        """A user has this name now. What is older than the last that was heard says nothing; nor does no name.

        User 0 is the mix of all.
        """
        if not name or user_id <= 0:
            return
        known, since_ms = self._names.get(user_id, ("", 0))
        if known and at_ms < since_ms:
            return
        if not known and len(self._names) >= MAX_PEOPLE:
            del self._names[next(iter(self._names))]
        self._names[user_id] = name, at_ms
        if known and known != name:
            self.renames += 1
            if self.renames <= self.MAX_RENAMES:
                details = {"old": known, "new": name}
                self.news.append(Event("participant_renamed", at_ms, user_id, name, details))

    def channel(self, channel_id: str, at_ms: int) -> int:
        """Return the number that stands for a channel; a channel that is new is told once."""
        number = self._channels.get(channel_id)
        if number is None:
            number = channel_number(channel_id)
            if len(self._channels) >= MAX_PEOPLE:
                del self._channels[next(iter(self._channels))]
            self._channels[channel_id] = number
            details = {"channel_id": channel_id[:MAX_CHANNEL_LENGTH]}
            self.news.append(Event("channel_appeared", at_ms, number, details=details))
        return number

    def taken(self) -> list[Event]:
        """Return the news, once."""
        news, self.news = self.news, []
        return news


def channel_number(channel_id: str) -> int:
    """Make a user id of a channel id: 31 bits of its SHA-256, the same in every stream and after a restart."""
    digest = hashlib.sha256(channel_id.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:4], "big") & 0x7FFFFFFF or 1
