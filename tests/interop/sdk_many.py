"""Runs Zoom's own Python SDK, unmodified, on many streams in one process: `python sdk_many.py '<list of payloads>'`.

All clients live on one loop, as two loops in one process crash. Each callback is printed as a JSON line with the stream's id. The
environment is that of sdk_client.py. It ends by being ended.
"""

import json
import os
import sys

import rtms
from sdk_client import ask_for, say


def join(loop: rtms.EventLoop, payload: dict[str, str]) -> rtms.Client:
    stream_id = payload["rtms_stream_id"]
    client = rtms.Client()
    ask_for(client, {})
    client.on_audio_data(lambda data, size, timestamp, who: None)
    client.on_join_confirm(lambda reason: say("join_confirm", reason=reason, stream=stream_id))
    client.on_leave(lambda reason: say("leave", reason=reason, stream=stream_id))
    loop.add(client)
    client.join(
        meeting_uuid=payload["meeting_uuid"],
        rtms_stream_id=stream_id,
        server_urls=payload["server_urls"],
        client=os.environ["ZM_RTMS_CLIENT"],
        secret=os.environ["ZM_RTMS_SECRET"],
    )
    return client


def main() -> None:
    loop = rtms.EventLoop(poll_interval=0.001)
    clients = [join(loop, payload) for payload in json.loads(sys.argv[1])]
    say("joining", clients=len(clients))
    loop.run()


if __name__ == "__main__":
    main()
