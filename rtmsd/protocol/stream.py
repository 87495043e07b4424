"""One stream: every rule about its signaling socket and its media sockets.

Inputs are method calls with `now` (monotonic seconds), outputs are actions. Input from the network is never an
error: what is wrong is counted. The rules are those of protocol.md §5 and §7.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import msgspec

from rtmsd.frames import AudioFrame, Item, MediaKind, StreamInfo
from rtmsd.protocol import media, signaling
from rtmsd.protocol.actions import Action, CloseSocket, Deliver, Finished, Note, Send, Socket, WakeAt
from rtmsd.protocol.codes import MessageType, SessionState, StatusCode, StopReason, StreamState
from rtmsd.protocol.connections import HEARD_LATELY_SECS, NOT_REGAINED, Connections
from rtmsd.protocol.coverage import Coverage
from rtmsd.protocol.joining import Joining
from rtmsd.protocol.link import LINGER_SECS, Link, Phase
from rtmsd.protocol.messages import (
    MAX_TIMESTAMP,
    AudioContent,
    Malformed,
    Message,
    decode,
    decode_audio,
    decode_good,
    normalised_ms,
)
from rtmsd.protocol.reception import Reception
from rtmsd.protocol.sessions import Sessions
from rtmsd.protocol.signature import handshake_signature
from rtmsd.protocol.windows import REASON_SECS, WORD_SECS, Patience, Verdict

CLOSE_NORMAL = 1000
"""With this Close frame on signaling a contact centre says that the call was transferred: we are to come back (§5.9)."""

LAG_EVERY = 16
"""Of so many frames one tells how far the meeting's time is behind ours: to ask all would cost more than to decode."""

_AUDIO = int(MessageType.MEDIA_DATA_AUDIO)


class StreamMachine:
    """Decides for one stream. Every method returns the actions to perform, in order.

    `wall_offset` is what to add to `now` for Unix seconds; `backoff` makes the delays of one outage.
    `resumed_ms`: the stream was joined before, and since then it has been without us; `crashed`: by no will of ours.
    """

    def __init__(
        self,
        *,
        info: StreamInfo,
        server_urls: Sequence[str],
        client_id: str,
        client_secret: str,
        request: media.MediaRequest,
        allowed_hosts: Sequence[str],
        backoff: Callable[[], Iterator[float]],
        wall_offset: float,
        resumed_ms: int | None = None,
        crashed: bool = False,
    ) -> None:
        self.info = info
        self.request = request
        self._counters: Counter[str] = Counter()
        self.outcome: Finished | None = None
        self._ending: Finished | None = None  # the outcome, once the last of the media is read
        self._sessions = Sessions()
        self._urls = tuple(server_urls)
        self._out: list[Action] = []
        self._reception = Reception(info, request, self._counters)
        self._intake = self._reception.intake
        self._take_audio = self._reception.audio
        self._coverage = Coverage(
            kinds=request.kinds,
            started_ms=info.started_ms,
            wall_offset=wall_offset,
            resumed_ms=resumed_ms,
            crashed=crashed,
            audio_until=lambda: self._intake.newest_audio_ms() + request.send_rate_ms,
        )
        self._connections = Connections(
            info=info,
            request=request,
            signature=handshake_signature(
                client_id=client_id,
                client_secret=client_secret,
                uuid=info.meeting_uuid,
                stream_id=info.zoom_id or info.stream_id,
            ),
            allowed_hosts=allowed_hosts,
            backoff=backoff,
            coverage=self._coverage,
            out=self._out,
        )
        self._signaling = self._connections.signaling
        self._links = self._connections.links
        self._audio_link = self._connections.media.get(MediaKind.AUDIO)
        for link in self._links.values():
            link.ever_live = resumed_ms is not None
        self._patience = Patience()
        self._joining = Joining(
            connections=self._connections,
            coverage=self._coverage,
            reception=self._reception,
            patience=self._patience,
            out=self._out,
        )
        self._wake: float | None = None

    # What others may look at

    @property
    def state(self) -> str:
        """One word for people: connecting, streaming, paused, reconnecting or ended."""
        if self.outcome is not None:
            return "ended"
        if not self._joining.ready:
            return "reconnecting" if self._joining.ever else "connecting"
        if self._coverage.absent:
            return "reconnecting"
        return "paused" if self._sessions.paused else "streaming"

    @property
    def counters(self) -> Counter[str]:
        """What was received, by kind; also what was malformed, unknown, late or a duplicate."""
        return self._counters + Counter(audio=self._intake.audio_frames, bytes=self._intake.audio_bytes)

    @property
    def server_urls(self) -> tuple[str, ...]:
        return self._urls

    @property
    def speakers(self) -> int:
        return self._intake.speakers

    @property
    def refused(self) -> dict[MediaKind, tuple[int | None, str]]:
        """The media that are not to be had, with the status or the cause."""
        return self._connections.refused

    @property
    def handshake_fields(self) -> dict[str, dict[str, str]]:
        """By socket, what Zoom's answers to our handshakes had that is not known here (§12)."""
        return self._reception.handshake_fields

    def media_ms(self, now: float) -> int:
        """What time it is in the meeting, as far as its frames told, in Unix milliseconds."""
        return self._coverage.media_ms(now)

    @property
    def connected(self) -> bool:
        """Whether all is received that is to be had."""
        return self._joining.ready and all(link.settled for link in self._connections.media.values())

    @property
    def trouble(self) -> str:
        """What went wrong last, while the stream is not (or not wholly) connected; else empty."""
        return "" if self.connected else self._connections.last_failure

    @property
    def healthy(self) -> bool:
        """Whether signaling is connected, or about to be."""
        return self._signaling.connected

    def silent(self, now: float) -> bool:
        """Whether Zoom has not been heard lately: then another stream may be this one's continuation (§7.6)."""
        return self._signaling.phase is not Phase.LIVE or now - self._signaling.heard > HEARD_LATELY_SECS

    @property
    def heard(self) -> float:
        """When Zoom was last heard on any socket that is there (monotonic seconds)."""
        return max((link.heard for link in self._links.values() if link.connected), default=0.0)

    @property
    def zoom_id(self) -> str:
        """The stream id by which Zoom knows this stream now."""
        return self._connections.stream_id

    # Inputs

    def start(self, now: float) -> list[Action]:
        """Begin. Called once, first."""
        self._patience.anew(now)
        if self._led(now):
            self._connections.connect(now)
        return self._done(now)

    def opened(self, socket: Socket, now: float) -> list[Action]:
        """A connection asked for by OpenSocket is open."""
        link = self._connections.current(socket)
        if link is not None and link.phase is Phase.OPENING:
            self._connections.greet(link, now)
        elif not self._over:
            self._out.append(CloseSocket(socket))
        return self._done(now)

    def open_failed(self, socket: Socket, why: str, now: float) -> list[Action]:
        """A connection asked for by OpenSocket did not come about; `why` is safe to print."""
        link = self._connections.current(socket)
        if link is not None and link.phase is Phase.OPENING:
            self._connections.last_failure = why
            self._out.append(Note("connection_failed", {"socket": link.kind, "why": why}))
            self._lost(link, now, close_frame=False)
        return self._done(now)

    def closed(self, socket: Socket, code: int | None, now: float) -> list[Action]:
        """A socket is gone: with a Close frame's `code`, or None when the connection just broke."""
        link = self._connections.current(socket)
        if link is not None:
            self._out.append(
                Note("socket_closed", {"socket": link.kind, "code": code, "phase": link.phase.name})
            )
            moved = code == CLOSE_NORMAL and self.info.product == "contact_center"
            self._lost(link, now, close_frame=code is not None, moved=moved)
        return self._done(now)

    def received(self, socket: Socket, data: bytes | memoryview, now: float) -> AudioFrame | Sequence[Action]:
        """A whole message came. The way of every frame: keep it short.

        An audio frame that is only to be delivered is returned as itself, since nearly every message is one.
        """
        link = self._links.get(socket.kind)
        if link is None or link.number != socket.number or not link.connected:
            self._counters["late_messages"] += 1
            return self._done(now)
        link.heard = now
        try:
            if link is self._audio_link:
                heard = decode_audio(data)
                if heard.msg_type == _AUDIO and (content := heard.content) is not None:
                    if self._coverage.judging:
                        return self._judged_audio(content, now)
                    frame = self._take_audio(content)
                    if type(frame) is not AudioFrame:
                        return self._more_than_audio(frame, now)
                    if self._intake.audio_frames % LAG_EVERY == 1:
                        self._coverage.arrived(frame.timestamp_ms, now)
                    return frame
            message = decode_good(data)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            saved = decode(data)
            if isinstance(saved, Malformed):
                self._counters["malformed_" + saved.kind] += 1
                return ()
            self._reception.salvaged(saved.msg_type)
            message = saved
        self._reception.note_answer(link.kind, message.msg_type, data)
        self._message(link, message, now)
        return self._done(now)

    def woken(self, now: float) -> list[Action]:
        """The time of the last WakeAt has come. Harmless at any other time."""
        self._wake = None  # that timer is no more: what is due again has to be said again
        if self.outcome is None:
            for link in self._links.values():
                if link.deadline is not None and link.deadline <= now:
                    if self._connections.overdue(link, now):
                        self._lost(link, now, close_frame=False)
            self._check_joined(now)
            self._deliver(*self._coverage.settle(now, self._signaling.heard))
            self._check_patience(now)
        return self._done(now)

    def stopped(self, reason: int | None, at_ms: int, now: float) -> list[Action]:
        """Zoom's stop webhook came. After the end, in-band or ours, it may still say why that was."""
        if self.outcome is not None:
            self.outcome = self._refined(self.outcome, reason)
        elif self._ending is not None:
            self._ending = self._refined(self._ending, reason)
        else:
            self._finish("ended", now, reason=reason, end_ms=at_ms)
        return self._done(now)

    def started_again(self, server_urls: Sequence[str], now: float) -> list[Action]:
        """A start webhook for this stream came again: other URLs mean that Zoom moved it (§7.1)."""
        if self._over:
            return self._done(now)
        moved = bool(server_urls) and tuple(server_urls) != self._urls
        if moved:
            self._urls = tuple(server_urls)
        if moved or not self._signaling.connected or self._patience.verdict is not None:
            self._out.append(Note("start_repeated", {"moved": moved}))
            self._reconnect_now(now)
        return self._done(now)

    def continued(
        self, stream_id: str, signature: str, server_urls: Sequence[str], now: float
    ) -> list[Action]:
        """Another server has taken over under another stream id: go on there, with a signature over that id (§7.6)."""
        if self._over:
            return self._done(now)
        self._connections.become(stream_id, signature)
        self._urls = tuple(server_urls)
        self._out.append(Note("start_repeated", {"moved": True, "new_stream_id": stream_id}))
        self._reconnect_now(now)
        return self._done(now)

    def interrupted(self, server_urls: Sequence[str], now: float) -> list[Action]:
        """Zoom's interruption webhook came: connect again, unless Zoom has just been heard (§7.3, §10 C2)."""
        if not self._over and now - self._signaling.heard > HEARD_LATELY_SECS:
            self._connections.drop(self._signaling)
        return self.started_again(server_urls, now)

    # Messages

    def _judged_audio(self, content: AudioContent, now: float) -> list[Action]:
        """Audio after a reconnect: does Zoom replay what we missed? A duplicate shows it, too."""
        if 0 < content.timestamp < MAX_TIMESTAMP:
            self._deliver(*self._coverage.frame(MediaKind.AUDIO, normalised_ms(content.timestamp)))
        return self._more_than_audio(self._take_audio(content), now)

    def _more_than_audio(self, found: AudioFrame | list[Item] | None, now: float) -> list[Action]:
        """Audio with news before it, or none."""
        if found is not None:
            self._deliver(*(found if isinstance(found, list) else [found]))
        return self._done(now)

    def _message(self, link: Link, message: Message, now: float) -> None:
        match message.msg_type:
            case MessageType.KEEP_ALIVE_REQ:
                self._out.append(Send(link.socket, signaling.keep_alive_reply(message)))
            case MessageType.SIGNALING_HAND_SHAKE_RESP if link is self._signaling:
                if link.phase is Phase.GREETING:
                    self._signaling_answer(message, now)
            case MessageType.DATA_HAND_SHAKE_RESP if link is not self._signaling:
                if link.phase is Phase.GREETING:
                    self._media_answer(link, message, now)
            case MessageType.EVENT_UPDATE:
                self._event(message, now)
            case MessageType.STREAM_STATE_UPDATE:
                self._stream_state(message, now)
            case MessageType.SESSION_STATE_UPDATE:
                self._session_state(message, now)
            case MessageType.VIDEO_SUBSCRIPTION_RESP:
                self._reception.video_answer(message)
                self._choose_video(now)
            case number:
                items = self._reception.take(number, message.content)
                if items is None:
                    self._reception.unhandled(number)
                else:
                    self._deliver(*items)

    def _signaling_answer(self, message: Message, now: float) -> None:
        link = self._signaling
        given = message.media_server.server_urls if message.media_server else {}
        urls = {name: url for name, url in given.items() if isinstance(url, str)}
        status = signaling.status_of(message)
        if status is None:
            status = 0 if urls else -1
        if status != StatusCode.STATUS_OK:
            if self._connections.postpone(link, status, now):
                return
            self._turned_away(status, now)
            return
        link.live(now)
        self._patience.answered(now)
        self._connections.open_media(urls, now)
        self._check_joined(now)

    def _turned_away(self, status: int, now: float) -> None:
        """Zoom will not have us. A stream that we were in may have ended, or moved: then Zoom will say so (§7.8)."""
        detail = "" if status >= 0 else "the answer had neither a status nor media URLs"
        if not self._signaling.ever_live:
            self._finish("rejected", now, status=status, detail=detail)
            return
        self._connections.close_all()
        unknown = status == StatusCode.INVALID_RTMS_STREAM_ID
        outcome = "ended_unknown" if unknown else "rejected"
        self._patience.judge(Verdict(self._patience.word_by(now), outcome, status, detail))

    def _media_answer(self, link: Link, message: Message, now: float) -> None:
        status = signaling.status_of(message) or 0
        if status != StatusCode.STATUS_OK:
            if not self._connections.postpone(link, status, now):
                self._connections.refuse(link, status, "status", now)
        else:
            link.live(now)
            kind, at_ms = MediaKind(link.kind), self._coverage.media_ms(now)
            self._deliver(*self._reception.confirmed(kind, message.media_params, now_ms=at_ms))
            self._joining.accepted(link, now)
        self._check_joined(now)

    def _check_joined(self, now: float) -> None:
        if not self._joining.check(now):
            self._no_media(now)

    def _no_media(self, now: float) -> None:
        """Every medium is refused, or Zoom does not wait for it any more; if we had some, it will say that it is over."""
        causes = "; ".join(sorted({cause for _, cause in self.refused.values()}))
        if not self._joining.ever:
            self._finish("no_media", now, detail=causes)
            return
        outcome = "lost" if causes == NOT_REGAINED else "no_media"
        since = min((one.since for one in self._connections.media.values() if one.since), default=now)
        self._patience.judge(Verdict(max(now, since + WORD_SECS), outcome, detail=f"media: {causes}"))

    def _event(self, message: Message, now: float) -> None:
        for event in self._reception.events(message.event, now_ms=self._coverage.media_ms(now)):
            self._deliver(event)
            if event.name == "media_interrupted":
                self._renew_media(now)
        self._choose_video(now)

    def _choose_video(self, now: float) -> None:
        if self._joining.ready:
            for one in self._reception.choose_video(at_ms=self._coverage.media_ms(now)):
                self._out.append(Send(self._signaling.socket, one))

    def _stream_state(self, message: Message, now: float) -> None:
        state = signaling.number_of(StreamState, message.state)
        if state is None:
            self._counters["malformed_message_8"] += 1
            return
        event = signaling.stream_event(state, message, now_ms=self._coverage.media_ms(now))
        reason = signaling.number_of(StopReason, _reason(message))
        self._deliver(event)
        self._deliver(*self._sessions.stream(state, reason, event.timestamp_ms))
        if message.timestamp:  # it is sent at once: so late is the meeting, while nobody speaks
            self._coverage.told(event.timestamp_ms, now)
        if state == StreamState.INTERRUPTED:
            self._renew_media(now)
        elif state == StreamState.TERMINATED:
            self._finish("ended", now, reason=self._sessions.reason, end_ms=event.timestamp_ms)

    def _renew_media(self, now: float) -> None:
        self._connections.renew_media(now)
        if self._joining.ready:
            self._patience.joined()  # Zoom waits again

    def _session_state(self, message: Message, now: float) -> None:
        event = signaling.session_event(message, now_ms=self._coverage.media_ms(now))
        if event is None:
            self._counters["unhandled_session_states"] += 1
            return
        state = signaling.number_of(SessionState, message.state)
        reason = signaling.number_of(StopReason, _reason(message))
        self._deliver(*self._sessions.session(message.rtms_session_id or "", state, reason, event))

    # Connections

    def _led(self, now: float) -> bool:
        """Whether one of the URLs may be connected to; otherwise the stream is over."""
        if problem := self._connections.lead(self._urls):
            self._finish("bad_url", now, detail=problem)
        return not problem

    def _lost(self, link: Link, now: float, *, close_frame: bool, moved: bool = False) -> None:
        """A socket is gone or never came; without signaling the stream has to be joined anew."""
        was_live = link.phase is Phase.LIVE
        moved = moved and link is self._signaling
        self._connections.lost(link, now, close_frame=close_frame, moved=moved)
        if link is not self._signaling:
            self._check_joined(now)
            return
        self._joining.left(now)
        if was_live and self._sessions.over and (close_frame or self._sessions.terminating):
            self._finish("ended", now, reason=self._sessions.reason)
        elif link.phase is Phase.IDLE:  # turned away: Zoom may still say why
            self._patience.judge(Verdict(now + REASON_SECS, "refused"))

    def _reconnect_now(self, now: float) -> None:
        self._connections.leave_media(now, clean=False)
        self._connections.drop(self._signaling)
        self._signaling.forgive()
        self._joining.left(now)
        self._patience.anew(now)
        if not self._led(now):
            return
        if self._connections.lingering:
            self._signaling.wait(now, LINGER_SECS)
        else:
            self._connections.connect(now)

    # Time

    def _check_patience(self, now: float) -> None:
        """Give up what Zoom does not wait for any more; say how the stream ended when Zoom does not."""
        if self._over:
            return
        if self._patience.closed(now):
            self._connections.close_all()
            self._patience.judge(self._out_of_window(now))
        verdict = self._patience.verdict
        if verdict is not None and now >= verdict.at:
            self._finish(
                "ended" if self._sessions.over else verdict.outcome,
                now,
                reason=self._sessions.reason if self._sessions.over else None,
                status=verdict.status,
                detail=verdict.detail,
            )

    def _out_of_window(self, now: float) -> Verdict:
        detail = self._connections.last_failure
        if not self._signaling.ever_live:
            return Verdict(now, "unreachable", detail=detail)
        outcome = "ended_unknown" if self._signaling.refusals else "lost"
        return Verdict(self._patience.word_by(now), outcome, detail=detail)

    def _next_wake(self, now: float) -> float | None:
        times = [self._connections.next_deadline(), self._coverage.next_settle()]
        if not self._over:
            times.append(self._patience.next(now))
        return min((one for one in times if one is not None), default=None)

    def _done(self, now: float) -> list[Action]:
        """Hand over what is to be done, with the next time to be woken if it changed."""
        ends = self._ending if self.outcome is None and not self._connections.lingering else None
        wake = None if self.outcome is not None or ends else self._next_wake(now)
        if wake != self._wake:
            self._wake = wake
            self._out.append(WakeAt(wake))
        if ends is not None:
            self._end(ends)
        done = self._out.copy()
        self._out.clear()
        return done

    # Ends

    def _finish(
        self,
        outcome: str,
        now: float,
        *,
        reason: int | None = None,
        status: int | None = None,
        detail: str = "",
        end_ms: int = 0,
    ) -> None:
        if self._over:
            return
        ended_ms = self._coverage.believed_ms(end_ms, now)
        self._connections.leave_dead(now)
        self._ending = Finished(outcome, ended_ms, reason=reason, status=status, detail=detail)
        self._connections.drop(self._signaling)
        self._connections.linger(now)

    def _refined(self, known: Finished, reason: int | None) -> Finished:
        """The latest word counts, but a revocation is the last one; what says nothing changes nothing."""
        if not reason or known.reason == StopReason.STREAM_REVOKED:
            return known
        return Finished("ended", known.end_ms, reason=reason)

    @property
    def _over(self) -> bool:
        """Whether it is decided how the stream ended, though its last frames may still be coming."""
        return self._ending is not None

    def _end(self, outcome: Finished) -> None:
        self._deliver(
            *self._coverage.end(
                outcome.end_ms, by_zoom=outcome.outcome == "ended", signaling_heard=self._signaling.heard
            )
        )
        self.outcome = outcome
        self._out.append(outcome)
        self._intake.forget()

    def _deliver(self, *items: Item) -> None:
        self._out.extend(Deliver(one) for one in items)


def _reason(message: Message) -> int | str | None:
    """Docs say `reason` in one place and `stop_reason` in another (§10 C11)."""
    return message.reason if message.reason is not None else message.stop_reason
