"""Runs Zoom's own Python SDK, unmodified, on one stream: `python sdk_client.py '<payload of rtms_started>'`.

The CA comes from ZM_RTMS_CA, the credentials from ZM_RTMS_CLIENT and ZM_RTMS_SECRET. Each callback is printed as
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


def main() -> None:
    payload = json.loads(sys.argv[1])
    audio = rtms.AudioParams()
    audio.content_type = rtms.AudioContentType.RAW_AUDIO
    audio.codec = rtms.AudioCodec.L16
    audio.sample_rate = rtms.AudioSampleRate.SR_16K
    audio.channel = rtms.AudioChannel.MONO
    audio.data_opt = rtms.DataOption.AUDIO_MULTI_STREAMS
    audio.duration = 20
    audio.frame_size = 320

    client = rtms.Client()
    client.set_audio_params(audio)
    client.on_join_confirm(
        lambda reason: leave("join_confirm", reason) if reason else say("join_confirm", reason=0)
    )
    client.on_leave(lambda reason: leave("leave", reason))
    client.on_session_update(
        lambda operation, session: say("session", operation=operation, id=session.sessionId)
    )
    client.on_user_update(lambda operation, who: say("user", operation=operation, id=who.id))
    client.on_event_ex(lambda text: say("event", event=json.loads(text)))
    client.on_audio_data(
        lambda data, size, timestamp, who: say(
            "audio", user=who.userId, timestamp=timestamp, data=base64.b64encode(data[:size]).decode()
        )
    )
    client.on_transcript_data(
        lambda data, size, timestamp, who: say(
            "transcript", user=who.userId, start=who.startTs, end=who.endTs, text=data[:size].decode()
        )
    )
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
