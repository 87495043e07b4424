"""Runs Zoom's own Python SDK, unmodified, on one stream: `python sdk_client.py '<payload of rtms_started>' '<options>'`.

The CA comes from ZM_RTMS_CA, the credentials from ZM_RTMS_CLIENT and ZM_RTMS_SECRET. The options, as JSON: `mixed` audio instead
of each person's; `transcript`: "default", "asked" (with parameters) or absent; `video`: true. Each callback is printed as
a JSON line. It ends by ending the process, the only way of leaving that never hangs, when the SDK says that it has
left or could not join. The working directory needs a `logs` directory, or the SDK complains in hundreds of lines.
"""

import base64
import json
import os
import sys

import rtms


def say(callback: str, **fields: object) -> None:
    print(json.dumps({"callback": callback, **fields}), flush=True)


def leave(callback: str, reason: int) -> None:
    say(callback, reason=reason)
    os._exit(0)


def ask_for(client: rtms.Client, options: dict[str, object]) -> None:
    audio = rtms.AudioParams()
    audio.content_type = rtms.AudioContentType.RAW_AUDIO
    audio.codec = rtms.AudioCodec.L16
    audio.sample_rate = rtms.AudioSampleRate.SR_16K
    audio.channel = rtms.AudioChannel.MONO
    mixed, each = rtms.DataOption.AUDIO_MIXED_STREAM, rtms.DataOption.AUDIO_MULTI_STREAMS
    audio.data_opt = mixed if options.get("mixed") else each
    audio.duration = 20
    audio.frame_size = 320
    client.set_audio_params(audio)
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
        client.on_video_data(lambda data, size, timestamp, who: say("video", user=who.userId))


def main() -> None:
    payload = json.loads(sys.argv[1])
    client = rtms.Client()
    ask_for(client, json.loads(sys.argv[2]))
    client.on_join_confirm(
        lambda reason: leave("join_confirm", reason) if reason else say("join_confirm", reason=0)
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
        meeting_uuid=payload["meeting_uuid"],
        rtms_stream_id=payload["rtms_stream_id"],
        server_urls=payload["server_urls"],
        client=os.environ["ZM_RTMS_CLIENT"],
        secret=os.environ["ZM_RTMS_SECRET"],
    )
    loop.run()


if __name__ == "__main__":
    main()
