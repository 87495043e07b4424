"""A media socket whose handshake was accepted: turns what happens in the meeting into its messages."""

from __future__ import annotations

from collections.abc import Iterable

from rtmsd.protocol.codes import MediaDataType
from rtmsd.simulator.connection import Connection
from rtmsd.simulator.media_params import MediaParams
from rtmsd.simulator.messages import audio, chat, transcript
from rtmsd.simulator.sound import Packet, PacketCutter
from rtmsd.simulator.stage import Moment
from rtmsd.simulator.truth import Phrase, Written

URL_KEYS = {
    MediaDataType.AUDIO: "audio",
    MediaDataType.TRANSCRIPT: "transcript",
    MediaDataType.CHAT: "chat",
}
"""What each kind is called among `server_urls` (protocol.md §5.2); `all` is there, too."""


class MediaSocket:
    """Silent while `ready_ms` is None: Zoom sends no media before the CLIENT_READY_ACK (protocol.md §5.5.1).

    After that it is the meeting's time (Unix ms) when the media began to flow.
    """

    def __init__(self, connection: Connection, kinds: MediaDataType, params: MediaParams) -> None:
        self.connection = connection
        self.kinds = kinds
        self.ready_ms: int | None = None
        self._transcript = params.transcript
        self._cutter = PacketCutter(params.audio) if params.audio else None

    @property
    def names(self) -> list[str]:
        return [name for kind, name in URL_KEYS.items() if kind in self.kinds]

    def packets(self, moments: Iterable[Moment]) -> list[Packet]:
        """Cut the packets that these moments complete; none when the socket carries no audio."""
        if self._cutter is None:
            return []
        return [packet for moment in moments for packet in self._cutter.cut(moment)]

    def rest(self) -> list[Packet]:
        return self._cutter.rest() if self._cutter else []

    def send_audio(self, packets: Iterable[Packet]) -> None:
        for packet in packets:
            self.connection.send(audio(packet))

    def send_transcript(self, phrase: Phrase, name: str) -> None:
        if self._transcript is not None:
            self.connection.send(transcript(phrase, name, self._transcript.src_language))

    def send_chat(self, written: Written, name: str) -> None:
        if MediaDataType.CHAT in self.kinds:
            self.connection.send(chat(written, name))
