"""A media socket whose handshake was accepted: turns what happens in the meeting into its messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from rtmsd.protocol.codes import MediaDataOption, MediaDataType, MessageType
from rtmsd.simulator.connection import Connection
from rtmsd.simulator.media_messages import audio, chat, picture, transcript
from rtmsd.simulator.media_params import MediaParams
from rtmsd.simulator.meeting import Person
from rtmsd.simulator.moment import Moment
from rtmsd.simulator.picture_feed import PictureFeed
from rtmsd.simulator.sound import Packet, PacketCutter
from rtmsd.simulator.truth import Phrase, Shown, Written

URL_KEYS = {
    MediaDataType.AUDIO: "audio",
    MediaDataType.VIDEO: "video",
    MediaDataType.DESKSHARE: "deskshare",
    MediaDataType.TRANSCRIPT: "transcript",
    MediaDataType.CHAT: "chat",
}
"""What each kind is called among `server_urls` (protocol.md §5.2); `all` is there, too."""


class MediaSocket:
    """Silent while `ready_ms` is None: Zoom sends no media before the CLIENT_READY_ACK (protocol.md §5.5.1).

    After that it is the meeting's time (Unix ms) when the media began to flow. `by_channel`: a contact centre's, where
    sound is known by its channel.
    """

    def __init__(
        self, connection: Connection, kinds: MediaDataType, params: MediaParams, *, by_channel: bool = False
    ) -> None:
        self.connection = connection
        self.params = params
        self.kinds = kinds
        self.ready_ms: int | None = None
        self._by_channel = by_channel
        self._audio = params.audio
        self._cutter = PacketCutter(params.audio) if params.audio else None
        self._feeds: list[tuple[PictureFeed, MessageType, str]] = []
        if params.video:
            feed = PictureFeed(params.video, of_screen=False)
            self._feeds.append((feed, MessageType.MEDIA_DATA_VIDEO, "video"))
        if params.share:
            feed = PictureFeed(params.share, of_screen=True)
            self._feeds.append((feed, MessageType.MEDIA_DATA_SHARE, "share"))

    @property
    def names(self) -> list[str]:
        return [name for kind, name in URL_KEYS.items() if kind in self.kinds]

    @property
    def wants_individual_video(self) -> bool:
        video = self.params.video
        return video is not None and video.data_opt == MediaDataOption.VIDEO_SINGLE_INDIVIDUAL_STREAM

    def packets(self, moments: Iterable[Moment]) -> list[Packet]:
        """Cut the packets that these moments complete; none when the socket carries no audio."""
        if self._cutter is None:
            return []
        return [packet for moment in moments for packet in self._cutter.cut(moment)]

    def again(self, moments: Iterable[Moment]) -> list[Packet]:
        """Cut the packets that these moments completed before, as they were cut then."""
        if self._audio is None:
            return []
        cutter = PacketCutter(self._audio)
        return [packet for moment in moments for packet in cutter.cut(moment)]

    def rest(self) -> list[Packet]:
        return self._cutter.rest() if self._cutter else []

    def send_audio(self, packets: Iterable[Packet]) -> None:
        for packet in packets:
            self.connection.send(audio(packet, by_channel=self._by_channel))

    def send_pictures(self, moment: Moment, subscribed_to: int | None) -> list[Shown]:
        """Send what there is to see; `subscribed_to` is whose video was asked for. Gives what was sent."""
        shown = []
        for feed, kind, name in self._feeds:
            for sent in feed.next(moment.view, moment.at_ms, subscribed_to):
                person, timestamp_ms = sent.person, sent.timestamp_ms
                self.connection.send(picture(kind, person, timestamp_ms, sent.picture.data))
                codec = int(feed.params.codec)
                shown.append(Shown(name, person.user_id, timestamp_ms, codec, sent.picture.sha256))
        return shown

    def send_transcript(self, phrase: Phrase, person: Person, *, languages_told: bool) -> list[Phrase]:
        """Send a phrase, in the language that was asked for unless languages are told apart by now. Gives what was sent.

        Zoom does that after 30 s, unless `enable_lid` is false (protocol.md §5.5).
        """
        asked = self.params.transcript
        if asked is None:
            return []
        if not (asked.enable_lid and languages_told):
            phrase = replace(phrase, language=asked.src_language)
        self.connection.send(transcript(phrase, person, by_channel=self._by_channel))
        return [phrase]

    def send_chat(self, written: Written, names: Mapping[int, str]) -> None:
        if MediaDataType.CHAT in self.kinds:
            self.connection.send(chat(written, names))
