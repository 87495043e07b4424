"""Runs Zoom's own Python SDK, unmodified, on one stream: `python sdk_client.py '<payload of rtms_started>' '<options>'`.

The CA comes from ZM_RTMS_CA, the credentials from ZM_RTMS_CLIENT and ZM_RTMS_SECRET. The options, as JSON: `mixed` audio instead
of each person's; `codec` other than L16, or "default" for the SDK's own audio parameters; `transcript`: "default", "asked" (with
parameters) or absent; `video`: true, or the id of the person whose video alone is wanted; `share`: true; `subscribe`: the
events to subscribe to once joined. Each callback is printed as a JSON line, pictures as their SHA-256. It ends by ending the process, the only way of leaving that never hangs, when the SDK says that it has
left or could not join. The working directory needs a `logs` directory, or the SDK complains in hundreds of lines.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sys
from collections.abc import Callable

import rtms

ID_KEYS = ("meeting_uuid", "webinar_uuid", "session_id", "engagement_id", "call_id")
CODECS = {
    "L16": (rtms.AudioCodec.L16, rtms.AudioSampleRate.SR_16K),
    "G711": (rtms.AudioCodec.G711, rtms.AudioSampleRate.SR_8K),
    "G722": (rtms.AudioCodec.G722, rtms.AudioSampleRate.SR_16K),
    "OPUS": (rtms.AudioCodec.OPUS, rtms.AudioSampleRate.SR_48K),
}


def say(callback: str, **fields: object) -> None:
    print(json.dumps({"callback": callback, **fields}), flush=True)


def leave(callback: str, reason: int) -> None:
    say(callback, reason=reason)
    os._exit(0)


def ask_for(client: Client, options: dict[str, object]) -> None:
    codec = str(options.get("codec", "L16"))
    if codec != "default":
        client.set_audio_params(audio_params(codec, mixed=bool(options.get("mixed"))))
    client.on_audio_data(
        lambda data, size, timestamp, who: say(
            "audio", user=who.userId, timestamp=timestamp, data=base64.b64encode(data[:size]).decode()
        )
    )
    if "transcript" in options:
        if options["transcript"] == "asked":
            transcript = rtms.TranscriptParams()
            transcript.content_type = 5
            transcript.src_language = 9
            transcript.enable_lid = False
            client.set_transcript_params(transcript)
        client.on_transcript_data(
            lambda data, size, timestamp, who: say(
                "transcript", user=who.userId, start=who.startTs, end=who.endTs, text=data[:size].decode()
            )
        )
    if options.get("video"):
        client.on_video_data(lambda *picture: say_picture("video", *picture))
    if options.get("video") not in (None, True):
        client.set_video_params(individual_video())
        client.on_participant_video(lambda users, on: say("participant_video", users=users, on=on))
        client.on_video_subscribed(
            lambda user, status, error: say("video_subscribed", user=user, status=status)
        )
    if options.get("share"):
        client.on_deskshare_data(lambda *picture: say_picture("share", *picture))


def say_picture(callback: str, data: bytes, size: int, timestamp: int, who: rtms.Metadata) -> None:
    say(callback, user=who.userId, timestamp=timestamp, sha256=hashlib.sha256(data[:size]).hexdigest())


def individual_video() -> rtms.VideoParams:
    video = rtms.VideoParams()
    video.content_type = rtms.VideoContentType.RAW_VIDEO
    video.codec = rtms.VideoCodec.H264
    video.resolution = rtms.VideoResolution.HD
    video.data_opt = rtms.VideoDataOption.VIDEO_SINGLE_INDIVIDUAL_STREAM
    video.fps = 30
    return video


class Client(rtms.Client):
    """Asks for what can only be asked for after the join, and between two polls: inside a callback it would hang."""

    def __init__(self) -> None:
        super().__init__()
        self.then: list[Callable[[], object]] = []

    def poll(self) -> None:
        super().poll()
        while self.then:
            self.then.pop(0)()


def joined(client: Client, options: dict[str, object]) -> None:
    say("join_confirm", reason=0)
    if events := options.get("subscribe"):
        client.then.append(lambda: client.subscribe_event(events))
    if options.get("video") not in (None, True):
        client.then.append(lambda: client.subscribe_video(options["video"], True))


def audio_params(codec: str, *, mixed: bool) -> rtms.AudioParams:
    audio = rtms.AudioParams()
    audio.content_type = rtms.AudioContentType.RAW_AUDIO
    audio.codec, audio.sample_rate = CODECS[codec]
    audio.channel = rtms.AudioChannel.MONO
    audio.data_opt = rtms.DataOption.AUDIO_MIXED_STREAM if mixed else rtms.DataOption.AUDIO_MULTI_STREAMS
    audio.duration = 20
    audio.frame_size = {"G711": 160, "OPUS": 960}.get(codec, 320)
    return audio


def main() -> None:
    payload = json.loads(sys.argv[1])
    client = Client()
    options = json.loads(sys.argv[2])
    ask_for(client, options)
    client.on_join_confirm(
        lambda reason: leave("join_confirm", reason) if reason else joined(client, options)
    )
    client.on_leave(lambda reason: leave("leave", reason))
    client.on_session_update(
        lambda operation, session: say("session", operation=operation, id=session.sessionId)
    )
    client.on_user_update(lambda operation, who: say("user", operation=operation, id=who.id, name=who.name))
    client.on_event_ex(lambda text: say("event", event=json.loads(text)))
    loop = rtms.EventLoop(poll_interval=0.001)
    loop.add(client)
    client.join(
        meeting_uuid=next(payload[key] for key in ID_KEYS if key in payload),
        rtms_stream_id=payload["rtms_stream_id"],
        server_urls=payload["server_urls"],
        client=os.environ["ZM_RTMS_CLIENT"],
        secret=os.environ["ZM_RTMS_SECRET"],
    )
    loop.run()


if __name__ == "__main__":
    main()
