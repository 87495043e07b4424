"""Zoom's own client with a callback that only counts: many clients on one loop, polled every millisecond."""

from __future__ import annotations

import os
import sys

import rtms

from tests.benchmarks.load import CLIENT_ID, CLIENT_SECRET
from tests.benchmarks.meter import Meter, answer_on_stdin


def audio_params() -> rtms.AudioParams:
    audio = rtms.AudioParams()
    audio.content_type = rtms.AudioContentType.RAW_AUDIO
    audio.codec = rtms.AudioCodec.L16
    audio.sample_rate = rtms.AudioSampleRate.SR_16K
    audio.channel = rtms.AudioChannel.MONO
    audio.data_opt = rtms.DataOption.AUDIO_MULTI_STREAMS
    audio.duration = 20
    audio.frame_size = 320
    return audio


def main(base_url: str, ids: list[str]) -> None:
    meter = Meter()
    # Leaving by ending the process is the only way that never hangs.
    answer_on_stdin(meter, lambda: os._exit(0))
    loop = rtms.EventLoop(poll_interval=0.001)
    clients = []
    for stream_id in ids:
        client = rtms.Client()
        client.set_audio_params(audio_params())
        client.on_audio_data(lambda data, size, timestamp, who: meter.count(timestamp))
        loop.add(client)
        client.join(
            meeting_uuid=f"uuid-{stream_id}",
            rtms_stream_id=stream_id,
            server_urls=f"{base_url}/signaling",
            client=CLIENT_ID,
            secret=CLIENT_SECRET,
        )
        clients.append(client)
    loop.run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[3].split(","))
