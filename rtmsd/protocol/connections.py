"""The sockets of one stream: which should be there, and when a lost one is tried again (protocol.md §7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from rtmsd.frames import Event, MediaKind, StreamInfo
from rtmsd.protocol import media, signaling
from rtmsd.protocol.actions import Action, CloseSocket, Deliver, Note, OpenSocket, Send, Socket
from rtmsd.protocol.coverage import Coverage
from rtmsd.protocol.link import ANSWER_SECS, CLOSED_HOLD_SECS, SILENCE_SECS, STATUS_DELAYS, Link, Phase

SIGNALING = "signaling"

HEARD_LATELY_SECS = 15.0
"""Keep-alives come every 10 s: a socket that was heard since is alive."""


class Connections:
    """Keeps one signaling link and one link per medium; what it wants done is appended to `out`.

    It knows when to open, greet, close and try again. What an answer means for the stream, and when the stream is
    over, is the StreamMachine's to decide.
    """

    def __init__(
        self,
        *,
        info: StreamInfo,
        request: media.MediaRequest,
        signature: str,
        allowed_hosts: Sequence[str],
        backoff: Callable[[], Iterator[float]],
        coverage: Coverage,
        out: list[Action],
    ) -> None:
        self.signaling = Link(SIGNALING, backoff)
        self.media = {kind: Link(kind.value, backoff) for kind in sorted(request.kinds)}
        self.links: dict[str, Link] = {
            SIGNALING: self.signaling,
            **{one.kind: one for one in self.media.values()},
        }
        self.refused: dict[MediaKind, tuple[int | None, str]] = {}
        self.last_failure = ""
        self._info = info
        self._request = request
        self._signature = signature
        self._allowed_hosts = tuple(allowed_hosts)
        self._coverage = coverage
        self._out = out
        self._numbers = 0

    def current(self, socket: Socket) -> Link | None:
        """Return the link whose present socket this is."""
        link = self.links.get(socket.kind)
        return link if link is not None and link.number == socket.number and link.connected else None

    def next_deadline(self) -> float | None:
        return min((one.deadline for one in self.links.values() if one.deadline is not None), default=None)

    # Opening

    def connect(self, urls: Sequence[str], now: float) -> str:
        """Open signaling at the first URL that may be used; otherwise return what is wrong with them."""
        url, problem = signaling.choose_url(urls, self._allowed_hosts)
        if url is not None:
            self.signaling.url = url
            self._open(self.signaling, now)
        return problem

    def greet(self, link: Link, now: float) -> None:
        """Send the handshake on a socket that has just opened."""
        link.greeting(now)
        ids = {
            "uuid": self._info.meeting_uuid,
            "stream_id": self._info.stream_id,
            "signature": self._signature,
        }
        if link is self.signaling:
            hello = signaling.handshake(**ids, sequence=1)
        else:
            hello = media.handshake(MediaKind(link.kind), self._request, **ids, sequence=1)
        self._out.append(Send(link.socket, hello))

    def open_media(self, urls: Mapping[str, str], now: float) -> None:
        """Open a socket for every medium that has a URL which may be used; refuse the others."""
        self.refused.clear()
        for kind, link in self.media.items():
            self.drop(link)
            link.refusals = link.status_tries = 0
            link.url = urls.get(media.URL_KEYS[kind], "")
            if not link.url:
                self.refuse(link, None, "no_url", now)
            elif problem := signaling.url_problem(link.url, self._allowed_hosts):
                self.refuse(link, None, f"bad_url: the server URL {problem}", now)
            else:
                self._open(link, now)

    def _open(self, link: Link, now: float) -> None:
        self._numbers += 1
        link.opening(self._numbers, now)
        self._out.append(OpenSocket(link.socket, link.url))

    # Losing

    def postpone(self, link: Link, status: int, now: float) -> bool:
        """Try again later when `status` is one that passes and there were not yet enough tries (§6.4)."""
        tries_left = link.status_tries < len(STATUS_DELAYS)
        if status not in media.RETRY_STATUSES or not (tries_left or link.ever_live):
            return False
        delay = STATUS_DELAYS[link.status_tries] if tries_left else None
        link.status_tries += 1
        self.drop(link)
        link.wait(now, delay)
        self._out.append(Note("handshake_postponed", {"socket": link.kind, "status": status}))
        return True

    def refuse(self, link: Link, status: int | None, cause: str, now: float) -> None:
        """Do without a medium, for good (until signaling is made anew)."""
        self.drop(link)
        link.rest(Phase.REFUSED)
        self.refused[MediaKind(link.kind)] = (status, cause)
        details = {"media": link.kind, "status": status, "cause": cause}
        self._deliver(Event("media_refused", self._coverage.media_ms(now), details=details))

    def lost(self, link: Link, now: float, *, close_frame: bool) -> None:
        """A socket is gone or never came: decide when to try again (§7.3).

        A Close frame where an answer was due means credentials or eligibility, not the network (§5.2): one more try,
        then the link rests (signaling) or its medium is refused. Unless it was live before: then it is an outage.
        """
        if link.phase is Phase.LINGERING:
            link.rest()
            return
        was_live = link.phase is Phase.LIVE
        if was_live:
            self._deliver(Event("socket_lost", self._coverage.media_ms(now), details={"socket": link.kind}))
        if link is self.signaling:
            self.leave_media(now)
        elif was_live:
            self._coverage.lost(MediaKind(link.kind), now)
        turned_away = close_frame and not was_live
        link.refusals += turned_away
        if not turned_away or link.ever_live:
            link.wait(now, CLOSED_HOLD_SECS if close_frame and was_live else None)
        elif link.refusals < 2:
            link.wait(now, CLOSED_HOLD_SECS)
        elif link is self.signaling:
            link.rest()
        else:
            self.refuse(link, None, "closed_before_answer", now)

    def leave_media(self, now: float) -> None:
        """Without signaling the media sockets are nothing: all will be made anew."""
        for kind, link in self.media.items():
            if link.phase is Phase.LIVE:
                self._coverage.lost(kind, now)
        self.linger(now)

    @property
    def lingering(self) -> bool:
        """Whether a media socket is only kept until what it has brought is read."""
        return any(link.phase is Phase.LINGERING for link in self.media.values())

    def linger(self, now: float) -> None:
        """Let go of the media sockets, once what they have brought is read."""
        for link in self.media.values():
            if link.phase is Phase.LIVE:
                link.linger(now)
            elif link.phase is not Phase.LINGERING:
                self.drop(link)

    def drop(self, link: Link) -> None:
        if link.connected:
            self._out.append(CloseSocket(link.socket))
        link.rest()

    def close_all(self) -> None:
        for link in self.links.values():
            self.drop(link)

    # Time

    def overdue(self, link: Link, urls: Sequence[str], now: float) -> bool:
        """A link's deadline has passed: try again, look on, or give its socket up. True: its socket is lost."""
        if link.phase is Phase.WAITING:
            if link is self.signaling:
                self.connect(urls, now)
            else:
                self._open(link, now)
            return False
        if link.phase is Phase.LINGERING:
            self.drop(link)
            return False
        if link.phase is Phase.LIVE and link.heard + SILENCE_SECS > now:
            link.deadline = link.heard + SILENCE_SECS
            return False
        why = {
            Phase.OPENING: f"no connection within {ANSWER_SECS:.0f} s",
            Phase.GREETING: f"no answer to the handshake within {ANSWER_SECS:.0f} s",
        }.get(link.phase, f"nothing came for {SILENCE_SECS:.0f} s")
        self.last_failure = why
        self._out.append(Note("socket_silent", {"socket": link.kind, "why": why}))
        self._out.append(CloseSocket(link.socket))
        return True

    def renew_media(self, now: float) -> None:
        """Zoom says that a media connection was interrupted, not which (§10 C43): make anew what is not there, or
        only seems to be."""
        for link in self.media.values():
            if link.phase is Phase.LIVE and now - link.heard > HEARD_LATELY_SECS:
                self._out.append(CloseSocket(link.socket))
                self.lost(link, now, close_frame=False)
            if link.phase is Phase.WAITING:
                link.wait(now, 0.0)

    def _deliver(self, event: Event) -> None:
        self._out.append(Deliver(event))
