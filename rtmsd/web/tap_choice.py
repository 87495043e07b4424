"""What somebody asked of a tap, which stream that is, and whose sound; refusals are answers with a sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from rtmsd.diagnosis.why import plain
from rtmsd.frames import AudioFormat, MediaKind, StreamInfo

Living = tuple[StreamInfo, frozenset[MediaKind]]

_FORMS = {
    "text": frozenset({MediaKind.TRANSCRIPT}),
    "json": frozenset({MediaKind.AUDIO, MediaKind.TRANSCRIPT, MediaKind.CHAT}),
    "pcm": frozenset({MediaKind.AUDIO}),
}
_SWITCHES = ("wait", "audio")
_KNOWN = ("meeting", "as", "user", *_SWITCHES)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The query of a tap. `meeting`: what names a stream, or nothing; `form`: text, json or pcm."""

    meeting: str
    form: str
    user_id: int | None
    wait: bool
    samples: bool

    @property
    def wants(self) -> frozenset[MediaKind]:
        return _FORMS[self.form]


def read_query(query: Mapping[str, str]) -> Asked:
    """Understand a query; HTTPBadRequest says what is wrong with it."""
    for name in query:
        if name not in _KNOWN:
            raise _bad(f'"{name}" is no parameter; expected {", ".join(_KNOWN)}.')
    form = query.get("as", "text")
    if form not in _FORMS:
        raise _bad(f'expected as=text, json or pcm, got "{form}".')
    for name in _SWITCHES:
        if query.get(name, "1") not in ("0", "1"):
            raise _bad(f'expected {name}=1 or {name}=0, got "{query[name]}".')
    user = query.get("user", "")
    if user and not re.fullmatch("[0-9]{1,18}", user):
        raise _bad(f'expected the number of a participant as user, got "{user}".')
    samples = query.get("audio") == "1"
    if samples and form != "json":
        raise _bad("expected audio=1 with as=json only; as=pcm gives the samples themselves.")
    return Asked(
        meeting=plain(query.get("meeting", "")),
        form=form,
        user_id=int(user) if user else None,
        wait=query.get("wait") == "1",
        samples=samples,
    )


def choose(living: Sequence[Living], asked: Asked) -> Living | None:
    """Find the stream; None when there is none yet and it may be waited for. HTTPNotFound, HTTPConflict."""
    found = _named(living, asked.meeting)
    if len(found) > 1:
        ids = ", ".join(sorted(stream.stream_id for stream, _ in found))
        what = f'"{asked.meeting}" fits' if asked.meeting else "there are"
        raise _conflict(f"{what} {len(found)} living streams; name one of them: {ids}.")
    if found:
        return found[0]
    if asked.wait:
        return None
    what = f'fits "{asked.meeting}"' if asked.meeting else "is there now"
    raise web.HTTPNotFound(
        text=f"No living stream {what}; the status page shows which there are, and --wait (wait=1) waits for the next one.\n"
    )


def check_media(one: Living, asked: Asked) -> None:
    """HTTPConflict when the stream has nothing of what is asked for."""
    stream, media = one
    if asked.form == "text" and MediaKind.TRANSCRIPT not in media:
        raise _conflict(
            f"Stream {stream.stream_id} has no transcript: no sink of its app wants Zoom's, or makes one. A tap asks Zoom for nothing more."
        )
    if asked.form == "pcm" and MediaKind.AUDIO not in media:
        raise _conflict(
            f"Stream {stream.stream_id} has no sound: no sink of its app wants it. A tap asks Zoom for nothing more."
        )


def choose_user(form: AudioFormat, asked: Asked, heard: Sequence[int], speaking: int) -> int:
    """Say whose samples are given. `heard`: who was, so far; `speaking`: who is, now. HTTPConflict."""
    if form.codec != "L16":
        raise _conflict(
            f'The sound of this stream is {form.codec}; only plain samples can be given: audio_codec = "L16" in [apps.media].'
        )
    if not form.per_participant:
        if asked.user_id:
            raise _conflict("Zoom mixes all voices of this stream into one: leave --user (user=) away.")
        return speaking
    if asked.user_id is not None:
        return asked.user_id
    others = {*heard, speaking}
    if len(others) > 1:
        raise _conflict(
            f"Several have spoken; name one of them with --user (user=): {', '.join(map(str, sorted(others)))}."
        )
    return speaking


def _named(living: Sequence[Living], key: str) -> list[Living]:
    if not key:
        return list(living)
    whole = [one for one in living if key in _ids(one)]
    return whole or [one for one in living if any(name.startswith(key) for name in _ids(one))]


def _ids(one: Living) -> tuple[str, ...]:
    stream = one[0]
    return stream.stream_id, stream.meeting_uuid, stream.meeting_id


def _bad(sentence: str) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(text=f"{sentence[0].upper()}{sentence[1:]}\n")


def _conflict(sentence: str) -> web.HTTPConflict:
    return web.HTTPConflict(text=f"{sentence[0].upper()}{sentence[1:]}\n")
