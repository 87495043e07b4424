"""The control URL: shows the meetings that play, and takes the actions of the timeline as JSON, to be done now."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

import orjson
from aiohttp import web

from rtmsd.errors import SimulatorError
from rtmsd.simulator.cast import Cast
from rtmsd.simulator.cloud.face import CloudFace
from rtmsd.simulator.cloud.face_words import FACE_WORDS, disturb
from rtmsd.simulator.cloud.gathering import Gathering
from rtmsd.simulator.cloud.gathering_control import GATHERING_WORDS, find_gathering, shown
from rtmsd.simulator.play import Play
from rtmsd.simulator.reading import Fields
from rtmsd.simulator.serving import serving
from rtmsd.simulator.speech import load_sentences
from rtmsd.simulator.vocabulary import read_action

_LARGEST_ACTION = 64 * 1024


@asynccontextmanager
async def controlling(
    simulator: HasPlays,
    *,
    play: Callable[[float | None], None] | None = None,
    face: CloudFace | None = None,
    gatherings: Sequence[Gathering] = (),
) -> AsyncIterator[str]:
    """Listen on a free port of 127.0.0.1; gives the URL, whose path nobody else on the machine can guess.

    GET answers how the meetings are. POST of an action as JSON, as in a scenario's timeline but without `at_secs`,
    does it and answers `{"done": …}`, or 400 and `{"problems": […]}`. While several meetings play, `stream_id` says
    which one is meant. With `play`, `{"do": "play"}` begins one more meeting, cut to its `seconds`. With `face`, faults of REST and OAuth can be
    asked for (`face_words`). Where `gatherings` are held, who comes and goes does so in the meeting, not in one stream.
    """
    control = _Control(simulator, play, face, gatherings)
    app = web.Application(client_max_size=_LARGEST_ACTION)
    path = f"/{secrets.token_urlsafe(16)}"
    app.router.add_get(path, control.show)
    app.router.add_post(path, control.act)
    async with serving(app, ("127.0.0.1", 0)) as port:
        yield f"http://127.0.0.1:{port}{path}"


class HasPlays(Protocol):
    """A simulator: streams play in it."""

    @property
    def playing(self) -> Mapping[str, Play]: ...

    def find_play(self, stream_id: str | None) -> Play: ...


class _Control:
    def __init__(
        self,
        simulator: HasPlays,
        play: Callable[[float | None], None] | None,
        face: CloudFace | None,
        gatherings: Sequence[Gathering],
    ) -> None:
        self._simulator = simulator
        self._play = play
        self._face = face
        self._gatherings = gatherings
        self._sentences = load_sentences()

    async def show(self, _: web.Request) -> web.Response:
        document = {"meetings": [_shown(play) for play in self._simulator.playing.values()]}
        if self._gatherings:
            document["gatherings"] = [shown(gathering) for gathering in self._gatherings]
        return _answer(200, document)

    async def act(self, request: web.Request) -> web.Response:
        try:
            document = orjson.loads(await request.read())
        except orjson.JSONDecodeError:
            return _answer(400, {"problems": ['expected an action as JSON, such as {"do": "pause"}']})
        problems: list[str] = []
        fields = Fields(document, path="", problems=problems)
        word = document.get("do") if isinstance(document, dict) else None
        if self._play is not None and word == "play":
            return self._begin(fields, self._play)
        if self._face is not None and word in list(FACE_WORDS):
            disturb(fields, self._face)
            return _done(document, problems)
        stream_id = fields.text("stream_id") if fields.has("stream_id") else None
        try:
            if self._gatherings and stream_id is None and word in GATHERING_WORDS:
                self._act(fields, find_gathering(fields, self._gatherings))
            elif not problems:
                self._act(fields, self._simulator.find_play(stream_id))
        except SimulatorError as error:
            problems.append(str(error))
        return _done(document, problems)

    def _begin(self, fields: Fields, play: Callable[[float | None], None]) -> web.Response:
        done = {"do": fields.text("do")}
        seconds = fields.number("seconds", least=1, most=86_400) if fields.has("seconds") else None
        fields.finish()
        if not fields.problems:
            play(seconds)
        return _done(done, fields.problems)

    def _act(self, fields: Fields, where: Play | Gathering) -> None:
        meeting = where.meeting
        people = {person.name: person.user_id for person in meeting.people}
        action = read_action(
            fields, Cast(people, self._sentences, meeting.media, meeting.seed, meeting.product), 0
        )
        if not fields.problems:
            assert action is not None
            where.do(action)


def _shown(play: Play) -> dict[str, Any]:
    stream, stage = play.stream, play.stage
    return {
        "stream_id": stream.identity.stream_id,
        "meeting_uuid": stream.identity.meeting_uuid,
        "stream_state": stream.state.name,
        "session_state": stream.session.name,
        "stop_reason": stream.stop_reason,
        "secs": (stage.now_ms - play.truth.started_ms) / 1000,
        "paused": stage.paused,
        "connections": [connection.kind for connection in stream.connections],
        "people": [
            {
                "name": part.person.name,
                "user_id": part.person.user_id,
                "present": part.present,
                "muted": part.muted,
                "speaking": part.saying is not None,
            }
            for part in stage.parts.values()
        ],
    }


def _done(document: object, problems: list[str]) -> web.Response:
    return _answer(400, {"problems": problems}) if problems else _answer(200, {"done": document})


def _answer(status: int, document: dict[str, Any]) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(document), content_type="application/json")
