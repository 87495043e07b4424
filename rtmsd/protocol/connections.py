"""The sockets of one stream: which should be there, and when a lost one is tried again (protocol.md §7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from rtmsd.frames import Event, MediaKind, StreamInfo
from rtmsd.protocol import media, signaling
from rtmsd.protocol.actions import (
    Action,
    CloseSocket,
    Deliver,
    Hurry,
    Note,
    OpenSocket,
    Send,
    Socket,
)
from rtmsd.protocol.coverage import Coverage
from rtmsd.protocol.link import CLOSED_HOLD_SECS, SILENCE_SECS, STATUS_DELAYS, Link, Phase
from rtmsd.protocol.products import handshake_ids
from rtmsd.protocol.windows import MEDIA_SECS, MEDIA_WINDOWS, SIGNALING_WINDOWS

SIGNALING = "signaling"

HEARD_LATELY_SECS = 15.0
"""Keep-alives come every 10 s: a socket that was heard since is alive."""

DOUBT_SECS = 2.0
"""A connection that broke had carried everything until so long before, if it was heard then; otherwise nobody knows."""

NOT_REGAINED = f"not regained within {MEDIA_SECS:.0f} s"
"""Why a medium is done without: Zoom does not wait for it any more (§10 C9)."""

TURNED_AWAY = "closed_before_answer"
"""Why a medium is done without: its server closed instead of answering, twice (§5.2)."""


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
        self.signaling = Link(SIGNALING, backoff, SIGNALING_WINDOWS)
        self.media = {kind: Link(kind.value, backoff, MEDIA_WINDOWS) for kind in sorted(request.kinds)}
        self.links: dict[str, Link] = {
            SIGNALING: self.signaling,
            **{one.kind: one for one in self.media.values()},
        }
        self.refused: dict[MediaKind, tuple[int | None, str]] = {}
        self.last_failure = ""
        self.stream_id = info.zoom_id or info.stream_id
        """By which Zoom knows the stream now."""
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

    def become(self, stream_id: str, signature: str) -> None:
        """From now on Zoom knows the stream by another id (§10 C34)."""
        self.stream_id, self._signature = stream_id, signature

    # Opening

    def lead(self, urls: Sequence[str]) -> str:
        """Look for signaling at the first URL that may be used from now on; return what is wrong with them if none may."""
        url, problem = signaling.choose_url(urls, self._allowed_hosts)
        if url is not None:
            self.signaling.url = url
        return problem

    def connect(self, now: float) -> None:
        """Open signaling where it was last said to be."""
        self._open(self.signaling, now)

    def greet(self, link: Link, now: float) -> None:
        """Send the handshake on a socket that has just opened."""
        link.greeting(now)
        ids = handshake_ids(self._info)
        name = {"stream_id": self.stream_id, "signature": self._signature}
        if link is self.signaling:
            hello = signaling.handshake(ids=ids, **name, sequence=1)
        else:
            hello = media.handshake(MediaKind(link.kind), self._request, ids=ids, **name, sequence=1)
        self._out.append(Send(link.socket, hello))

    def open_media(self, urls: Mapping[str, str], now: float) -> None:
        """Open a socket for every medium that has a URL which may be used; refuse the others."""
        self.refused.clear()
        for kind, link in self.media.items():
            self.drop(link)
            link.forgive()
            link.url = urls.get(media.URL_KEYS[kind], "")
            if not link.url:
                self.refuse(link, None, "no_url", now)
            elif problem := signaling.url_problem(link.url, self._allowed_hosts):
                self.refuse(link, None, f"bad_url: the server URL {problem}", now)
            else:
                self._open(link, now)

    def _open(self, link: Link, now: float) -> None:
        if link is not self.signaling:
            self._coverage.opening(MediaKind(link.kind))
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
        self._coverage.forgo(MediaKind(link.kind))
        details = {"media": link.kind, "status": status, "cause": cause}
        self._deliver(Event("media_refused", self._coverage.media_ms(now), details=details))

    def lost(self, link: Link, now: float, *, close_frame: bool, moved: bool = False) -> None:
        """A socket is gone or never came: decide when to try again (§7.3). `moved`: Zoom expects us back at once.

        A Close frame where an answer was due means credentials or eligibility, not the network (§5.2): one more try,
        then the link rests (signaling) or its medium is refused. Unless it was live before: then it is an outage.
        """
        if link.phase is Phase.LINGERING:
            self._let_go(link)
            return
        was_live = link.phase is Phase.LIVE
        if was_live:
            self._deliver(Event("socket_lost", self._coverage.media_ms(now), details={"socket": link.kind}))
        if link is self.signaling:
            self.leave_media(now, clean=close_frame)
        elif was_live:
            self._absent(link, now, clean=close_frame)
        turned_away = close_frame and not was_live
        link.refusals += turned_away
        if moved and link.lasted(now):
            link.wait(now, 0.0)
        elif not turned_away or link.ever_live:
            link.wait(now, hold=CLOSED_HOLD_SECS if close_frame and was_live else 0.0)
        elif link.refusals < 2:
            link.wait(now, CLOSED_HOLD_SECS)
        elif link is self.signaling:
            link.rest()
        else:
            self.refuse(link, None, TURNED_AWAY, now)

    def leave_media(self, now: float, *, clean: bool) -> None:
        """Without signaling the media sockets are nothing: all will be made anew. `clean`: it ended with a Close frame."""
        for link in self.media.values():
            if link.phase is Phase.LIVE:
                self._absent(link, now, clean=clean)
        self.linger(now)

    def leave_dead(self, now: float) -> None:
        """The stream ends: what seems connected and is not heard was lost before."""
        for link in self.media.values():
            if link.phase is Phase.LIVE and _dead(link, now):
                self._absent(link, now, clean=True)

    def _absent(self, link: Link, now: float, *, clean: bool) -> None:
        """A medium is gone: since now, or since it was last heard when it may have been dead before."""
        unheard = now - link.heard > (HEARD_LATELY_SECS if clean else DOUBT_SECS)
        self._coverage.lost(MediaKind(link.kind), now, heard=link.heard if unheard else None)

    @property
    def lingering(self) -> bool:
        """Whether a media socket is only kept until what it has brought is read."""
        return any(link.phase is Phase.LINGERING for link in self.media.values())

    def linger(self, now: float) -> None:
        """Let go of the media sockets, once what they have brought is read."""
        for link in self.media.values():
            if link.phase is Phase.LIVE:
                link.linger(now)
                self._out.append(Hurry(link.socket))
            elif link.phase is not Phase.LINGERING:
                self.drop(link)

    def drop(self, link: Link) -> None:
        if link.connected:
            self._out.append(CloseSocket(link.socket))
        self._let_go(link)

    def _let_go(self, link: Link) -> None:
        if link.phase is Phase.LINGERING:
            self._coverage.heard_still(MediaKind(link.kind), link.heard)
        link.rest()

    def close_all(self) -> None:
        for link in self.links.values():
            self.drop(link)

    # Time

    def overdue(self, link: Link, now: float) -> bool:
        """A link's deadline has passed: try again, look on, or give its socket up. True: its socket is lost."""
        if link.phase is Phase.WAITING:
            if link.closes_at is not None and now >= link.closes_at:
                self._too_late(link, now)
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
            Phase.OPENING: "no connection in time",
            Phase.GREETING: "no answer to the handshake in time",
        }.get(link.phase, f"nothing came for {SILENCE_SECS:.0f} s")
        self.last_failure = why
        self._out.append(Note("socket_silent", {"socket": link.kind, "why": why}))
        self._out.append(CloseSocket(link.socket))
        return True

    def _too_late(self, link: Link, now: float) -> None:
        """Zoom does not wait for this connection any more. What becomes of a stream without signaling is not said here."""
        if link is self.signaling:
            link.rest()
        else:
            self.refuse(link, None, NOT_REGAINED, now)

    def renew_media(self, now: float) -> None:
        """Zoom says that a media connection was interrupted, not which (§10 C43): make anew what is not there, or
        only seems to be. It waits for them from now on, also for those that were done without."""
        for kind, link in self.media.items():
            refusal = self.refused.get(kind)
            if refusal == (None, NOT_REGAINED):
                link.forgive()
            if refusal in ((None, NOT_REGAINED), (None, TURNED_AWAY)):
                del self.refused[kind]
                link.wanted_again(now)
            if link.phase is Phase.LIVE and _dead(link, now):
                self._out.append(CloseSocket(link.socket))
                self.lost(link, now, close_frame=False)
            if link.phase is Phase.WAITING:
                link.hasten(now)

    def _deliver(self, event: Event) -> None:
        self._out.append(Deliver(event))


def _dead(link: Link, now: float) -> bool:
    return now - link.heard > HEARD_LATELY_SECS
