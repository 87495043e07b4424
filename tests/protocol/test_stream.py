"""The rules of one stream, each driven by hand."""

import json

import pytest
from stream_bench import BOTH, HOST, INFO, URLS, WALL_MS, Bench

from rtmsd.frames import AudioFrame, ChatFrame, Event, Gap, MediaKind, TranscriptFrame
from rtmsd.protocol.link import LINGER_SECS
from rtmsd.protocol.stream import StreamMachine

AUDIO_ONLY = frozenset({MediaKind.AUDIO})


def test_the_happy_path_sends_what_zoom_documents() -> None:
    """Handshake, one per medium, one ACK when all are accepted, then the subscription."""
    bench = Bench()
    bench.join()
    assert bench.sent_types() == [1, 7, 5]
    (_, hello), *_ = bench.sent
    assert hello == {
        "msg_type": 1,
        "protocol_version": 1,
        "sequence": 1,
        "meeting_uuid": INFO.meeting_uuid,
        "rtms_stream_id": INFO.stream_id,
        "signature": "d795f32e24bfdb9a6849f6e146dc148369cb91899a887a16e83360b217649020",
        "buffer_data": True,
    }
    media = {socket.kind: message for socket, message in bench.sent if message["msg_type"] == 3}
    assert media["audio"]["media_type"] == 1 and media["transcript"]["media_type"] == 8
    assert media["audio"]["media_params"] == {
        "audio": {
            "content_type": 2,
            "sample_rate": 1,
            "channel": 1,
            "codec": 1,
            "data_opt": 2,
            "send_rate": 100,
        }
    }
    assert media["transcript"]["media_params"] == {
        "transcript": {"content_type": 5, "src_language": 9, "enable_lid": True}
    }
    assert bench.machine.state == "streaming"


def test_audio_arrives_as_confirmed() -> None:
    """The server's parameters decide the format, not ours."""
    bench = Bench(kinds=AUDIO_ONLY)
    bench.start()
    bench.opened("signaling")
    bench.receive("signaling", {"msg_type": 2, "status_code": 0, "media_server": {"server_urls": URLS}})
    bench.opened("audio")
    confirmed = {"audio": {"sample_rate": 3, "channel": 2, "codec": 1, "data_opt": 1}}
    bench.receive("audio", {"msg_type": 4, "status_code": 0, "media_params": confirmed})
    bench.audio(WALL_MS)
    frame = bench.items[-1]
    assert isinstance(frame, AudioFrame)
    assert (frame.format.rate, frame.format.channels, frame.format.per_participant) == (48_000, 2, False)
    assert frame.data == b"\x01\x00" * 1600 and frame.timestamp_ms == WALL_MS


@pytest.mark.parametrize("kind", ["signaling", "audio", "transcript"])
@pytest.mark.parametrize(
    "request_fields",
    [
        {"sequence": 7, "timestamp": 1727384349123},
        {"timestamp": 5},
        {"sequence": 9},
        {"sequence": 1, "timestamp": 2, "content": 3},
    ],
)
def test_keep_alives_are_echoed_on_their_socket(kind: str, request_fields: dict[str, int]) -> None:
    """Every keep-alive is answered with just what it had, even one with a broken rest."""
    bench = Bench()
    bench.join()
    bench.receive(kind, {"msg_type": 12} | request_fields)  # the bench checks the answer


def test_duplicates_are_removed() -> None:
    """The same user and timestamp is delivered once; another user's is another frame."""
    bench = Bench()
    bench.join()
    for timestamp in (WALL_MS, WALL_MS + 100, WALL_MS, WALL_MS + 50, WALL_MS + 100):
        bench.audio(timestamp)
    bench.audio(WALL_MS, user_id=7)
    frames = [
        (item.user_id, item.timestamp_ms - WALL_MS) for item in bench.items if isinstance(item, AudioFrame)
    ]
    assert frames == [(16778240, 0), (16778240, 100), (16778240, 50), (7, 0)]
    assert bench.machine.counters["duplicates"] == 2


def test_transcripts_have_their_times() -> None:
    """A phrase has its real start and end, and comes once."""
    bench = Bench()
    bench.join()
    content = {
        "user_id": "16778240",
        "user_name": "Ann",
        "timestamp": WALL_MS,
        "start_time": WALL_MS,
        "end_time": WALL_MS + 900,
        "data": "Hi",
        "language": 9,
    }
    for _ in range(2):
        bench.receive("transcript", {"msg_type": 17, "content": content})
    assert [item for item in bench.items if isinstance(item, TranscriptFrame)] == [
        TranscriptFrame(16778240, "Ann", WALL_MS, WALL_MS, WALL_MS + 900, "Hi", 9)
    ]


CHAT_ONLY = frozenset({MediaKind.CHAT})


def chatting() -> Bench:
    bench = Bench(kinds=CHAT_ONLY)
    bench.start()
    bench.opened("signaling")
    urls = {"chat": f"{HOST}/chat"}
    bench.receive("signaling", {"msg_type": 2, "status_code": 0, "media_server": {"server_urls": urls}})
    bench.opened("chat")
    bench.receive("chat", {"msg_type": 4, "status_code": 0})
    return bench


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("Hello", (None, "new", "Hello", "unknown")),
        (
            {"sender": {"user_id": 7}, "text": "Hello", "chat_session": {"type": 1}},
            (7, "new", "Hello", "everyone"),
        ),
        (
            json.dumps(
                {"sender": {"user_id": "7"}, "operation_type": 2, "message_id": "m", "content": "Hello"}
            ),
            (7, "delete", "Hello", "unknown"),
        ),
        (json.dumps([1]), (None, "new", "[1]", "unknown")),
        (
            {"sender": 5, "receiver": None, "operation_type": 99, "chat_session": {"type": []}},
            (None, "new", "", "unknown"),
        ),
    ],
)
def test_chat_in_every_form(data: object, expected: tuple[object, ...]) -> None:
    """Text, an object, or an object as text: all are one chat frame, delivered once."""
    bench = chatting()
    asked = [message["media_params"] for socket, message in bench.sent if socket.kind == "chat"]
    assert asked == [{"chat": {"content_type": 5}}]
    for _ in range(2):
        bench.receive("chat", {"msg_type": 18, "content": {"timestamp": WALL_MS, "data": data}})
    [said] = [item for item in bench.items if isinstance(item, ChatFrame)]
    assert (said.user_id, said.operation, said.text, said.audience) == expected


def test_a_refused_medium_is_explained_and_the_rest_goes_on() -> None:
    """One refusal does not fail the join, as it does with Zoom's own client."""
    bench = Bench()
    bench.start()
    bench.opened("signaling")
    bench.receive("signaling", {"msg_type": 2, "status_code": 0, "media_server": {"server_urls": URLS}})
    bench.opened("audio")
    bench.opened("transcript")
    bench.receive("transcript", {"msg_type": 4, "status_code": 12, "reason": "no scope"})
    assert 7 not in bench.sent_types()
    bench.receive("audio", {"msg_type": 4, "status_code": 0})
    assert bench.sent_types() == [1, 7, 5]
    assert bench.machine.refused == {MediaKind.TRANSCRIPT: (12, "status")}
    assert "media_refused" in bench.events()


def test_a_late_medium_does_not_hold_up_the_rest() -> None:
    """After 10 s the ACK goes out without the silent medium; when it comes, it is acknowledged, too."""
    bench = Bench()
    bench.start()
    bench.opened("signaling")
    bench.receive("signaling", {"msg_type": 2, "status_code": 0, "media_server": {"server_urls": URLS}})
    bench.opened("audio")
    bench.receive("audio", {"msg_type": 4, "status_code": 0})
    bench.later(9.9)
    assert 7 not in bench.sent_types()
    bench.later(0.2)
    assert bench.sent_types() == [1, 7, 5]
    bench.later(1.0)  # the silent one is tried again
    bench.opened("transcript")
    bench.receive("transcript", {"msg_type": 4, "status_code": 0})
    assert bench.sent_types() == [1, 7, 5, 7]


def test_no_medium_at_all_ends_the_stream() -> None:
    """A stream whose every medium is refused ends with an outcome of its own."""
    bench = Bench()
    bench.start()
    bench.opened("signaling")
    bench.receive("signaling", {"msg_type": 2, "status_code": 0, "media_server": {"server_urls": {}}})
    assert bench.finished is not None and bench.finished.outcome == "no_media"


def test_media_urls_outside_the_allowed_hosts_are_refused() -> None:
    """A media URL is checked as the signaling URL is."""
    bench = Bench()
    bench.start()
    bench.opened("signaling")
    urls = URLS | {"audio": "wss://evil.example/audio"}
    bench.receive("signaling", {"msg_type": 2, "status_code": 0, "media_server": {"server_urls": urls}})
    assert set(bench.live) == {"signaling", "transcript"}
    assert "evil.example" in bench.machine.refused[MediaKind.AUDIO][1]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "wss://evil.example",
        "ws://a.zoom.us",
        "https://a.zoom.us",
        "wss://u:p@a.zoom.us",
        "wss://zoom.us.evil.example",
        "wss://[::1",
        "wss://zoom.us",
    ],
)
def test_a_signaling_url_outside_the_allowed_hosts_is_never_opened(url: str) -> None:
    """Nothing is connected to, and the outcome says so."""
    bench = Bench(urls=[url] if url else [])
    bench.start()
    assert bench.finished is not None and bench.finished.outcome == "bad_url" and not bench.urls


def test_a_close_before_the_answer_is_tried_once_more_only() -> None:
    """Wrong credentials look like this: one more try, then wait for the reason, then the outcome."""
    bench = Bench()
    bench.start()
    bench.opened("signaling")
    bench.closed("signaling", 1000)
    bench.later(3.0)
    bench.opened("signaling")
    bench.closed("signaling", 1000)
    bench.later(4.0)
    assert bench.finished is None and not bench.live
    bench.later(60.0)
    assert bench.finished is not None and bench.finished.outcome == "refused"
    assert len(bench.urls) == 2


def test_the_stop_webhook_names_the_reason_of_a_close() -> None:
    """Stop reason 18 arrives a second after the close: no second try is made."""
    bench = Bench()
    bench.start()
    bench.opened("signaling")
    bench.closed("signaling", 1000)
    bench.later(1.0)
    bench.do(bench.machine.stopped(18, bench.wall_ms, bench.now))
    assert bench.finished is not None and (bench.finished.outcome, bench.finished.reason) == ("ended", 18)
    assert len(bench.urls) == 1


@pytest.mark.parametrize(("status", "tries"), [(3, 1), (2, 1), (8, 4), (45, 4)])
def test_signaling_statuses_are_final_or_waited_for(status: int, tries: int) -> None:
    """Only a lingering old socket and Zoom's own faults are tried again: after 1.5, 3 and 6 s."""
    bench = Bench()
    bench.start()
    for _ in range(10):
        if "signaling" not in bench.live:
            bench.later(6.0)
        if bench.finished is not None:
            break
        bench.opened("signaling")
        bench.receive("signaling", {"msg_type": 2, "status_code": status, "reason": ""})
    assert bench.finished is not None and (bench.finished.outcome, bench.finished.status) == (
        "rejected",
        status,
    )
    assert len(bench.urls) == tries


def test_no_connection_within_the_window_is_unreachable() -> None:
    """After Zoom's 60 s nobody waits for us any more; the last failure is told."""
    bench = Bench()
    bench.start()
    for _ in range(20):
        if "signaling" in bench.live:
            bench.open_failed("signaling", "no connection (refused)")
        bench.later(5.0)
    assert bench.finished is not None and bench.finished.outcome == "unreachable"
    assert bench.finished.detail == "no connection (refused)"


def test_a_lost_media_socket_alone_is_reopened() -> None:
    """The signaling socket stays, the medium is greeted again and acknowledged again."""
    bench = Bench()
    bench.join()
    signaling = bench.live["signaling"]
    bench.closed("audio")
    bench.later(0.6)
    bench.opened("audio")
    bench.receive("audio", {"msg_type": 4, "status_code": 0})
    assert bench.live["signaling"] == signaling
    assert bench.sent_types() == [1, 7, 5, 7]
    assert bench.events() == ["stream_joined", "socket_lost", "socket_reopened"]


def test_lost_signaling_reopens_everything() -> None:
    """All sockets anew, then the ACK and the subscription again, which Zoom's own client forgets."""
    bench = Bench()
    bench.join()
    bench.closed("signaling")
    bench.later(LINGER_SECS)
    assert set(bench.live) <= {"signaling"}
    bench.later(0.2)
    bench.greet()
    assert bench.sent_types() == [1, 7, 5, 1, 7, 5]
    assert bench.events() == ["stream_joined", "socket_lost", "socket_reopened"]
    assert bench.machine.state == "reconnecting"  # until it is known what was missed
    bench.later(3.0)
    assert bench.machine.state == "streaming"


def test_what_is_replayed_is_no_gap() -> None:
    """Audio that Zoom kept for us fills the hole; nothing is ledgered."""
    bench = Bench(kinds=AUDIO_ONLY)
    bench.join()
    bench.later(1.0)
    bench.audio(bench.wall_ms - 100)
    lost = bench.wall_ms
    bench.closed("audio")
    bench.later(5.0)
    bench.opened("audio")
    bench.receive("audio", {"msg_type": 4, "status_code": 0})
    for timestamp in range(lost, bench.wall_ms, 100):
        bench.audio(timestamp)
    bench.later(5.0)
    assert bench.gaps() == []


def test_a_replay_of_what_we_have_shows_that_zoom_kept_the_rest() -> None:
    """Nobody spoke while we were away: the replay brings only what we had, and nothing is ledgered."""
    bench = Bench(kinds=AUDIO_ONLY)
    bench.join()
    bench.later(1.0)
    had = bench.wall_ms - 100
    bench.audio(had)
    bench.closed("audio")
    bench.later(5.0)
    bench.opened("audio")
    bench.receive("audio", {"msg_type": 4, "status_code": 0})
    bench.audio(had)
    bench.later(5.0)
    assert bench.gaps() == [] and bench.machine.counters["duplicates"] == 1


def test_what_is_not_replayed_is_a_gap() -> None:
    """From the loss of the socket to its return, in the meeting's time."""
    bench = Bench(kinds=AUDIO_ONLY)
    bench.join()
    bench.later(1.0)
    bench.audio(bench.wall_ms - 100)
    lost = bench.wall_ms
    bench.closed("audio")
    bench.later(5.0)
    bench.opened("audio")
    bench.receive("audio", {"msg_type": 4, "status_code": 0})
    back = bench.wall_ms
    bench.receive("signaling", {"msg_type": 8, "state": 1, "reason": 0})
    bench.later(5.0)
    assert bench.gaps() == [Gap("socket_down", lost - 100, back - 100, MediaKind.AUDIO)]


def test_what_was_never_there_is_a_gap() -> None:
    """A medium that was wanted and never came is ledgered from the start to the end."""
    bench = Bench()
    bench.start()
    bench.opened("signaling")
    bench.receive(
        "signaling",
        {"msg_type": 2, "status_code": 0, "media_server": {"server_urls": {"audio": URLS["audio"]}}},
    )
    bench.opened("audio")
    bench.receive("audio", {"msg_type": 4, "status_code": 0})
    bench.later(10.0)
    bench.receive("signaling", {"msg_type": 8, "state": 4, "reason": 6, "timestamp": WALL_MS + 10_000})
    bench.later(LINGER_SECS)
    assert bench.gaps() == [Gap("not_delivered", WALL_MS, WALL_MS + 10_000, MediaKind.TRANSCRIPT)]


@pytest.mark.parametrize(
    "message",
    [
        {"state": 4, "reason": 6},
        {"state": "TERMINATED", "reason": "STOP_BC_MEETING_ENDED"},
        {"state": "4", "stop_reason": "6"},
    ],
)
def test_terminated_ends_the_stream(message: dict[str, object]) -> None:
    """State TERMINATED closes every socket, with its reason as number or name."""
    bench = Bench()
    bench.join()
    bench.receive("signaling", {"msg_type": 8, "timestamp": WALL_MS + 5} | message)
    bench.later(LINGER_SECS)
    assert bench.finished is not None
    assert (bench.finished.outcome, bench.finished.reason, bench.finished.end_ms) == ("ended", 6, WALL_MS + 5)


def test_what_the_media_sockets_still_hold_is_taken_before_the_end() -> None:
    """Sockets have no order among each other (§7.7): frames that were under way when the stream ended belong to it."""
    bench = Bench()
    bench.join()
    bench.receive("signaling", {"msg_type": 8, "timestamp": WALL_MS + 300, "state": 4, "reason": 6})
    bench.audio(WALL_MS + 100)
    bench.closed("transcript", 1000)
    assert bench.finished is None
    bench.closed("audio", 1000)
    assert bench.finished is not None and bench.finished.end_ms == WALL_MS + 300
    assert [item.timestamp_ms for item in bench.items if isinstance(item, AudioFrame)] == [WALL_MS + 100]


def test_what_the_media_sockets_still_hold_is_taken_before_a_reconnect() -> None:
    """The same when signaling is lost, which ends the media sockets as well."""
    bench = Bench(kinds=AUDIO_ONLY)
    bench.join()
    bench.closed("signaling")
    bench.audio(WALL_MS + 100)
    bench.later(LINGER_SECS + 0.15)
    assert set(bench.live) == {"signaling"}
    assert [item.timestamp_ms for item in bench.items if isinstance(item, AudioFrame)] == [WALL_MS + 100]


def test_pause_and_resume_are_events() -> None:
    """A pause is known to the sinks and to the page, and costs no connection."""
    bench = Bench()
    bench.join()
    bench.receive("signaling", {"msg_type": 9, "rtms_session_id": "s", "state": 3, "timestamp": WALL_MS + 1})
    assert bench.machine.state == "paused"
    bench.receive("signaling", {"msg_type": 9, "rtms_session_id": "s", "state": 4, "timestamp": WALL_MS + 2})
    assert bench.machine.state == "streaming"
    assert bench.items[-2:] == [
        Event("session_paused", WALL_MS + 1, details={"session_id": "s"}),
        Event("session_resumed", WALL_MS + 2, details={"session_id": "s"}),
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"event_type": 2, "user_id": 5, "user_name": "Ann"}, [("active_speaker_changed", 5, "Ann")]),
        (
            {"event_type": 3, "participants": [{"user_id": 5, "user_name": "Ann"}, {"user_id": "6"}]},
            [("participant_joined", 5, "Ann"), ("participant_joined", 6, None)],
        ),
        (
            {"event_type": 4, "participants": [5, {"user_id": 6}]},
            [("participant_left", 5, None), ("participant_left", 6, None)],
        ),
        ({"event_type": 1}, [("first_packet", None, None)]),
        ({"event_type": 99}, []),
    ],
)
def test_events_in_every_form(body: dict[str, object], expected: list[tuple[object, ...]]) -> None:
    """Participants come as objects or bare ids; unknown events are only counted."""
    bench = Bench()
    bench.join()
    before = len(bench.items)
    bench.receive("signaling", {"msg_type": 6, "event": body | {"timestamp": WALL_MS}})
    events = [item for item in bench.items[before:] if isinstance(item, Event)]
    assert [(event.name, event.user_id, event.user_name) for event in events] == expected


def test_silence_for_65_seconds_is_a_lost_socket() -> None:
    """Neither data nor keep-alives: the socket is dead, whatever TCP thinks."""
    bench = Bench()
    bench.join()
    old = bench.live["audio"]
    for _ in range(7):
        bench.later(10.0)
        bench.receive("signaling", {"msg_type": 12, "sequence": 1, "timestamp": 1})
        bench.receive("transcript", {"msg_type": 12, "sequence": 1, "timestamp": 1})
    assert bench.live.get("audio") != old and "audio" in bench.live


def test_a_repeated_start_is_a_duplicate_or_a_move() -> None:
    """The same URL with living sockets is nothing; another URL moves the stream."""
    bench = Bench()
    bench.join()
    sockets = dict(bench.live)
    bench.do(bench.machine.started_again([HOST], bench.now))
    assert bench.live == sockets
    bench.do(bench.machine.started_again(["wss://zoomiad2.iad.zoom.us"], bench.now))
    bench.later(LINGER_SECS)
    assert set(bench.live) == {"signaling"}
    assert bench.urls[bench.live["signaling"]] == "wss://zoomiad2.iad.zoom.us"
    bench.greet()
    assert bench.sent_types() == [1, 7, 5, 1, 7, 5]


@pytest.mark.parametrize(
    ("data", "counter"),
    [
        (b"", "malformed_not_json"),
        (b"\xff\xfe", "malformed_not_json"),
        (b'{"msg_type":14', "malformed_not_json"),
        (b"[1]", "malformed_no_msg_type"),
        (b'{"msg_type":"audio"}', "malformed_no_msg_type"),
        (b'{"msg_type":99}', "unhandled_message"),
        (b'{"msg_type":14,"content":{"user_id":1,"timestamp":5,"data":"%%%"}}', "malformed_audio_not_base64"),
        (b'{"msg_type":14,"content":{"user_id":1,"timestamp":5,"data":"AAA="}}', "audio"),
        (
            b'{"msg_type":14,"content":{"user_id":1,"timestamp":5,"data":"AA=="}}',
            "malformed_audio_partial_sample",
        ),
        (b'{"msg_type":14,"content":{"user_id":1,"data":"AAA="}}', "malformed_audio_without_user_or_time"),
        (b'{"msg_type":14,"content":{"user_id":"x","timestamp":5,"data":"AAA="}}', "salvaged_message_14"),
        (b'{"msg_type":14,"content":{"user_id":1,"timestamp":1e300,"data":"AAA="}}', "salvaged_message_14"),
        (
            b'{"msg_type":14,"content":{"user_id":1,"timestamp":99999999999999999999,"data":"AAA="}}',
            "malformed_audio_without_user_or_time",
        ),
        (b'{"msg_type":6}', "unhandled_events"),
        (b'{"msg_type":8,"state":"NONSENSE"}', "malformed_message_8"),
    ],
)
def test_bad_messages_are_counted_and_the_stream_goes_on(data: bytes, counter: str) -> None:
    """Each kind of bad message has its counter, and nothing else happens."""
    bench = Bench()
    bench.join()
    sockets = dict(bench.live)
    bench.receive("audio", data)
    assert bench.machine.counters[counter] == 1, bench.machine.counters
    assert bench.live == sockets and bench.finished is None


def test_the_secret_is_not_kept() -> None:
    """Nothing that could be printed holds the client secret."""
    machine: StreamMachine = Bench(kinds=BOTH).machine
    assert "demo_client_secret" not in repr(vars(machine))


def session(bench: Bench, name: str, state: int, reason: int | None = None) -> None:
    message = {"msg_type": 9, "rtms_session_id": name, "state": state, "timestamp": WALL_MS}
    bench.receive("signaling", message if reason is None else message | {"reason": reason})


def test_one_session_that_stops_does_not_end_the_others() -> None:
    """A stream has a session per user of the app: only when all are stopped is a Close frame the end."""
    bench = Bench()
    bench.join()
    session(bench, "a", 2)
    session(bench, "b", 2)
    session(bench, "b", 5, 3)
    bench.closed("signaling", 1000)
    assert bench.finished is None
    bench.later(3.0)
    bench.greet()
    session(bench, "a", 5, 6)
    bench.closed("signaling", 1000)
    bench.later(LINGER_SECS)
    assert bench.finished is not None and bench.finished.reason == 6


def test_a_stream_is_paused_when_all_its_sessions_are() -> None:
    """One session that goes on is audible."""
    bench = Bench()
    bench.join()
    session(bench, "a", 2)
    session(bench, "b", 2)
    session(bench, "a", 3)
    assert bench.machine.state == "streaming"
    session(bench, "b", 3)
    assert bench.machine.state == "paused"
    session(bench, "b", 5, 3)
    session(bench, "a", 4)
    assert bench.machine.state == "streaming"


def test_a_medium_that_was_live_is_not_given_up() -> None:
    """Its credentials are good: Closes where an answer was due are then an outage, tried again and again."""
    bench = Bench(kinds=AUDIO_ONLY)
    bench.join()
    bench.closed("audio", 1000)
    for again in range(7):
        while "audio" not in bench.live:
            bench.later(0.5)
        bench.opened("audio")
        bench.receive("signaling", {"msg_type": 12, "sequence": 1, "timestamp": 1})
        if again < 6:
            bench.closed("audio", 1000)
    bench.receive("audio", {"msg_type": 4, "status_code": 0})
    assert bench.machine.refused == {} and "media_refused" not in bench.events()


def test_a_server_that_goes_away_may_come_back_within_the_window() -> None:
    """Closes on the way back into a stream that we were in do not end it before Zoom's window does."""
    bench = Bench()
    bench.join()
    bench.closed("signaling", 1001)
    for _ in range(3):
        bench.later(5.0)
        bench.opened("signaling")
        bench.closed("signaling", 1001)
    assert bench.finished is None
    bench.do(bench.machine.started_again(["wss://zoomiad2.iad.zoom.us"], bench.now))
    bench.greet()
    assert bench.machine.state != "ended" and bench.finished is None


def test_what_the_server_closed_for_good_ends_without_a_reason() -> None:
    """After the window: everything was closed, and no reason came."""
    bench = Bench()
    bench.join()
    bench.closed("signaling", 1000)
    for _ in range(25):
        bench.later(4.0)
        if "signaling" in bench.live:
            bench.opened("signaling")
            bench.closed("signaling", 1000)
    assert bench.finished is not None and bench.finished.outcome == "ended_unknown"


@pytest.mark.parametrize(
    "message",
    [
        {"msg_type": 6, "event": {"event_type": 7, "timestamp": WALL_MS}},
        {"msg_type": 8, "state": 2, "reason": 14},
    ],
)
def test_zooms_word_that_media_is_interrupted_replaces_silent_sockets(message: dict[str, object]) -> None:
    """A half-open media socket that was not heard for long is made anew at once; one that was heard stays."""
    bench = Bench()
    bench.join()
    audio, transcript = bench.live["audio"], bench.live["transcript"]
    bench.later(30.0)
    bench.receive("transcript", {"msg_type": 12, "sequence": 1, "timestamp": 1})
    bench.receive("signaling", message)
    bench.later(0.1)
    assert bench.live["audio"] != audio and bench.live["transcript"] == transcript


def test_a_medium_that_comes_late_leaves_a_gap() -> None:
    """From the start to its coming; of audio Zoom keeps the last minute."""
    bench = Bench()
    bench.start()
    bench.opened("signaling")
    bench.receive("signaling", {"msg_type": 2, "status_code": 0, "media_server": {"server_urls": URLS}})
    bench.opened("audio")
    bench.receive("audio", {"msg_type": 4, "status_code": 0})
    while bench.now < 1040.0 or "transcript" not in bench.live:
        bench.later(1.0)
    bench.opened("transcript")
    bench.receive("transcript", {"msg_type": 4, "status_code": 0})
    assert [(gap.cause, gap.from_ms, gap.media) for gap in bench.gaps()] == [
        ("not_delivered", WALL_MS, MediaKind.TRANSCRIPT)
    ]


def test_a_late_first_packet_is_no_replay() -> None:
    """After a long outage a packet that is a little late does not show that Zoom kept what we missed."""
    bench = Bench(kinds=AUDIO_ONLY)
    bench.join()
    bench.later(1.0)
    bench.audio(bench.wall_ms - 100)
    bench.closed("audio")
    bench.later(20.0)
    while "audio" not in bench.live:
        bench.later(0.5)
    bench.opened("audio")
    bench.receive("audio", {"msg_type": 4, "status_code": 0})
    bench.audio(bench.wall_ms - 900)
    assert [gap.cause for gap in bench.gaps()] == ["socket_down"]


def test_media_that_closes_just_before_the_end_is_no_gap() -> None:
    """Zoom closes sockets in any order when a meeting ends."""
    bench = Bench()
    bench.join()
    bench.closed("audio", 1000)
    bench.later(1.0)
    bench.do(bench.machine.stopped(6, bench.wall_ms, bench.now))
    assert bench.gaps() == []


def test_a_meeting_that_ended_while_we_were_down_is_not_blamed_on_credentials() -> None:
    """A resumed stream was joined before: a Close before the answer means that it is over."""
    bench = Bench(resumed_ms=WALL_MS - 5000)
    bench.start()
    for _ in range(25):
        if "signaling" in bench.live:
            bench.opened("signaling")
            bench.closed("signaling", 1000)
        bench.later(4.0)
    assert bench.finished is not None and bench.finished.outcome == "ended_unknown"


def test_a_move_forgives_what_the_old_server_did() -> None:
    """One Close of the old server does not count against the new one."""
    bench = Bench()
    bench.start()
    bench.opened("signaling")
    bench.closed("signaling", 1000)
    bench.do(bench.machine.started_again(["wss://zoomiad2.iad.zoom.us"], bench.now))
    bench.opened("signaling")
    bench.closed("signaling", 1000)
    bench.later(3.0)
    assert "signaling" in bench.live


@pytest.mark.parametrize(
    "url",
    [
        "wss://[::1%25.zoom.us]:9/",
        "wss://[::1]/",
        "wss://a..zoom.us/",
        "wss://.zoom.us/",
        "wss://" + "a" * 64 + ".zoom.us/",
        "wss://a.zoom.us/\x00",
        "wss://a.zoom.us/#fragment",
        "wss://a\udc80.zoom.us/",
        "wss://a.zoom.us:99999/",
        "wss://a b.zoom.us/",
    ],
)
def test_urls_that_only_look_like_zooms_are_refused(url: str) -> None:
    """Zone ids, over-long labels, control characters: what is no plain host name is never connected to."""
    bench = Bench(urls=[url])
    bench.start()
    assert bench.finished is not None and bench.finished.outcome == "bad_url" and not bench.urls


def test_a_keep_alive_with_an_enormous_number_is_echoed() -> None:
    """Whatever number it is, it comes back as it came."""
    bench = Bench()
    bench.join()
    bench.receive("audio", {"msg_type": 12, "sequence": 10**30, "timestamp": 10**40, "content": []})
