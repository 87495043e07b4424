"""What the messages of the services mean, without sockets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtmsd.api import Secret
from rtmsd_transcribe.engine import EngineLost, EngineRefused, Heard
from rtmsd_transcribe.engines import ENGINES
from rtmsd_transcribe.engines.address import check_address
from rtmsd_transcribe.engines.assemblyai import AssemblyAIDialect, AssemblyAIOptions
from rtmsd_transcribe.engines.deepgram import DeepgramDialect, DeepgramOptions
from rtmsd_transcribe.engines.dialect import Dialect
from rtmsd_transcribe.engines.faults import http_fault
from rtmsd_transcribe.engines.openai_answer import error_code, understood
from rtmsd_transcribe.engines.pieces import Piece
from rtmsd_transcribe.engines.vosk import VoskDialect

DIALECTS: list[type[Dialect]] = [AssemblyAIDialect, DeepgramDialect, VoskDialect]
PIECE = Piece(bytes(32000 * 4), 10.0, 0.3, 3.5)


def short(heard: list[Heard]) -> list[tuple[str, float, float, bool]]:
    return [(one.text, one.start_secs, one.end_secs, one.final) for one in heard]


def results(text: str, start: float, end: float, *, final: bool = True, over: bool = False) -> str:
    words = [{"word": text.lower(), "punctuated_word": text, "start": start, "end": end, "confidence": 0.5}]
    return json.dumps(
        {
            "type": "Results",
            "channel_index": [0, 1],
            "start": start - 0.2,
            "duration": end - start + 0.4,
            "is_final": final,
            "speech_final": over,
            "channel": {
                "alternatives": [{"transcript": text, "confidence": 0.5, "words": words if text else []}]
            },
            "metadata": {"request_id": "1"},
        }
    )


def test_deepgram_pieces_become_a_sentence() -> None:
    """What is final waits for the end of the sentence; meanwhile it is shown with what is not."""
    dialect = DeepgramDialect()
    assert short(dialect.received(results("Good", 1, 2))) == [("Good", 1, 2, False)]
    assert short(dialect.received(results("mor", 2, 3, final=False))) == [("Good mor", 1, 3, False)]
    [sentence] = dialect.received(results("morning.", 2, 4, over=True))
    assert short([sentence]) == [("Good morning.", 1, 4, True)]
    assert [word.text for word in sentence.words] == ["Good", "morning."]
    assert sentence.confidence == 0.5


@pytest.mark.parametrize(
    "ending",
    [
        '{"type":"UtteranceEnd","last_word_end":2.0,"channel":[0,1]}',
        results("", 2, 3, over=True),
    ],
    ids=["utterance-end", "empty-result"],
)
def test_deepgram_ends_a_sentence_also_so(ending: str) -> None:
    """A sentence ends by UtteranceEnd, or by an empty result, and only once."""
    dialect = DeepgramDialect()
    dialect.received(results("Yes", 1, 2))
    assert short(dialect.received(ending)) == [("Yes", 1, 2, True)]
    assert [heard for heard in dialect.received(ending) if heard.text] == []


def test_deepgram_says_where_nothing_was_said() -> None:
    """A final result without words answers its sound, unless words before it still wait for the end of their sentence."""
    dialect = DeepgramDialect()
    assert short(dialect.received(results("", 1.2, 3.8))) == [
        ("", pytest.approx(1.0), pytest.approx(4.0), True)
    ]
    assert [one.final for one in dialect.received(results("", 4, 5, final=False))] == [False]
    dialect.received(results("Yes", 5, 6))
    assert dialect.received(results("", 6, 9)) == []


def test_deepgram_gives_what_is_left_at_the_end() -> None:
    """The last words are final when the session's Metadata comes, or the socket closes as it should."""
    for end in ("metadata", "close"):
        dialect = DeepgramDialect()
        dialect.received(results("Bye", 1, 2))
        dialect.rest()
        heard = (
            dialect.received('{"type":"Metadata","duration":2}')
            if end == "metadata"
            else dialect.closed(1000)
        )
        assert short(heard) == [("Bye", 1, 2, True)]


def test_deepgram_without_a_pause_still_gives_lines() -> None:
    """Who speaks without a pause gets a line after some seconds: what is not final would have to be kept."""
    dialect = DeepgramDialect()
    finals = [
        heard
        for second in range(0, 60, 3)
        for heard in dialect.received(results(f"w{second}", second, second + 3))
        if heard.final
    ]
    assert len(finals) == 4
    assert max(heard.end_secs - heard.start_secs for heard in finals) <= 18


def turn(order: int, text: str, *, ended: bool = False, formatted: bool = False, end: int = 1500) -> str:
    word = {"text": text.strip("."), "start": 500, "end": end, "confidence": 0.9, "word_is_final": ended}
    return json.dumps(
        {
            "type": "Turn",
            "turn_order": order,
            "turn_is_formatted": formatted,
            "end_of_turn": ended,
            "transcript": text if ended else "",
            "words": [word],
        }
    )


def test_assemblyai_formatted_turns_replace_the_others() -> None:
    """A turn is final once, when it is formatted; milliseconds become seconds."""
    dialect = AssemblyAIDialect()
    assert dialect.received('{"type":"Begin","id":"1","expires_at":1}') == []
    assert short(dialect.received(turn(0, "hello"))) == [("hello", 0.5, 1.5, False)]
    assert short(dialect.received(turn(0, "hello", ended=True))) == [("hello", 0.5, 1.5, False)]
    assert short(dialect.received(turn(0, "Hello.", ended=True, formatted=True))) == [
        ("Hello.", 0.5, 1.5, True)
    ]


def test_assemblyai_turns_that_are_never_formatted_are_not_lost() -> None:
    """The next turn, or the end, makes the one before final as it is."""
    dialect = AssemblyAIDialect()
    dialect.received(turn(0, "hello", ended=True))
    assert [(one.text, one.final) for one in dialect.received(turn(1, "you"))] == [
        ("hello", True),
        ("you", False),
    ]
    assert [(one.text, one.final) for one in dialect.received('{"type":"Termination"}')] == [("you", True)]
    assert dialect.done


@pytest.mark.parametrize(
    ("code", "kind", "words", "wait"),
    [
        (1008, EngineRefused, "key", None),
        (3005, EngineLost, "cancelled", 0),
        (3006, EngineLost, "did not understand", 0),
        (3007, EngineLost, "real time", 0),
        (3008, EngineLost, "expired", 0),
        (3009, EngineLost, "too many", 10),
        (1011, EngineLost, "closed", 0),
        (None, EngineLost, "closed", 0),
    ],
)
def test_assemblyai_close_codes(
    code: int | None, kind: type[Exception], words: str, wait: float | None
) -> None:
    """Each close code has its sentence, and says whether it is worth coming back."""
    with pytest.raises(kind, match=words) as caught:
        AssemblyAIDialect().closed(code)
    if isinstance(caught.value, EngineLost):
        assert caught.value.retry_secs == wait


def test_vosk_answers_belong_to_their_pieces() -> None:
    """A partial stands between the last final and its piece; the answer after all others ends the session."""
    dialect = VoskDialect()
    for _ in range(3):
        dialect.sound(bytes(32000))
    assert short(dialect.received('{"partial":"good"}')) == [("good", 0, 1, False)]
    final = '{"result":[{"conf":1.0,"start":0.2,"end":1.7,"word":"good"}],"text":"good"}'
    assert short(dialect.received(final)) == [("good", 0.2, 1.7, True)]
    dialect.rest()
    assert short(dialect.received('{"partial":"bye"}')) == [("bye", 2, 3, False)]
    assert not dialect.done
    assert short(dialect.received('{"text":"bye"}')) == [("bye", 2, 3, True)]
    assert dialect.done


def test_vosk_says_where_nothing_was_said() -> None:
    """Each piece has its answer, also one without words: it shows that the server listens, and what it has settled."""
    dialect = VoskDialect()
    for _ in range(2):
        dialect.sound(bytes(32000))
    assert short(dialect.received('{"partial":""}')) == [("", 0, 1, False)]
    assert short(dialect.received('{"text":""}')) == [("", 0, 2, True)]


def test_vosk_words_are_spelled_as_the_server_wants_them() -> None:
    """The goodbye has its spaces, and the rate is said, for the server would take 8000 Hz."""
    assert VoskDialect.goodbye == '{"eof" : 1}'
    assert json.loads(VoskDialect().opening())["config"]["sample_rate"] == 16000


@pytest.mark.parametrize("dialect", DIALECTS)
@given(text=st.one_of(st.text(), st.from_regex(r'\{"type":"(Results|Turn|Metadata)","[a-z_]+":[0-9"a]*\}')))
def test_no_message_breaks_an_engine(dialect: type[Dialect], text: str) -> None:
    """Whatever comes is understood, ignored or a lost session; the error does not repeat it."""
    try:
        dialect().received(text)
    except EngineLost as error:
        assert error.__cause__ is None
        assert error.__context__ is None


@given(sizes=st.lists(st.integers(1, 4000), min_size=1, max_size=60))
def test_assemblyai_pieces_have_their_length(sizes: list[int]) -> None:
    """However the sound comes, pieces last 50 to 1000 ms and hold all of it; only less than 50 ms in all is filled up."""
    dialect, said = (
        AssemblyAIDialect(),
        b"".join(bytes([index % 255 + 1]) * size * 2 for index, size in enumerate(sizes)),
    )
    pieces, at = [], 0
    for size in sizes:
        pieces.append(dialect.sound(said[at : at + size * 2]))
        at += size * 2
    pieces = [piece for piece in [*pieces, dialect.rest()] if piece]
    assert all(1600 <= len(piece) <= 32000 for piece in pieces)
    assert b"".join(pieces) == said.ljust(1600, b"\0")


@pytest.mark.parametrize(
    ("status", "header", "kind", "wait"),
    [
        (400, None, EngineRefused, None),
        (401, None, EngineRefused, None),
        (402, None, EngineRefused, None),
        (403, None, EngineRefused, None),
        (404, None, EngineRefused, None),
        (413, None, EngineLost, 0),
        (415, None, EngineRefused, None),
        (422, None, EngineRefused, None),
        (307, None, EngineRefused, None),
        (429, "12", EngineLost, 12),
        (429, None, EngineLost, 0),
        (429, "Sat, 21 Nov 2026 08:00:00 GMT", EngineLost, 0),
        (429, "1e12", EngineLost, 3600),
        (429, "-5", EngineLost, 0),
        (429, "nan", EngineLost, 0),
        (500, None, EngineLost, 0),
        (503, "3", EngineLost, 3),
    ],
)
def test_http_answers(status: int, header: str | None, kind: type[Exception], wait: float | None) -> None:
    """What a status means, and how long to wait; odd headers are no trap."""
    fault = http_fault("deepgram", status, header)
    assert type(fault) is kind
    assert str(status) in str(fault)
    if isinstance(fault, EngineLost):
        assert fault.retry_secs == wait


@pytest.mark.parametrize(
    ("status", "kind", "until"),
    [
        (400, EngineLost, None),
        (415, EngineLost, None),
        (422, EngineLost, None),
        (500, EngineLost, None),
        (429, EngineLost, 0.0),
        (503, EngineLost, 0.0),
        (401, EngineRefused, None),
        (402, EngineRefused, None),
        (404, EngineRefused, None),
    ],
)
def test_http_answers_of_an_engine_that_works(
    status: int, kind: type[Exception], until: float | None
) -> None:
    """After a success a bad request is about what was sent, a busy server about nothing, and a key about the engine."""
    fault = http_fault("openai", status, works=True)
    assert type(fault) is kind
    assert str(status) in str(fault)
    assert getattr(fault, "until_secs", None) == until


def test_too_many_sessions_are_no_fault_of_the_sound() -> None:
    """AssemblyAI closes a session when others have to end first: its sound is not held against it; other closings are."""
    for code, wait, until in ((3009, 10.0, 0.0), (3005, 0.0, None)):
        with pytest.raises(EngineLost) as caught:
            AssemblyAIDialect().closed(code)
        assert (caught.value.retry_secs, caught.value.until_secs) == (wait, until)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("wss://api.deepgram.com/v1/listen", None),
        ("ws://127.0.0.1:2700", None),
        ("ws://localhost:2700/x", None),
        ("ws://[::1]:2700", None),
        ("ws://10.0.0.7:2700", "without TLS"),
        ("ws://api.deepgram.com", "without TLS"),
        ("ws://localhost.example.org", "without TLS"),
        ("https://api.deepgram.com", "wss://"),
        ("wss://", "wss://"),
        ("", "wss://"),
        ("wss://[", "wss://"),
        ("wss://host:port", "wss://"),
        ("wss://user:secret@host/", "must not hold a key"),
    ],
)
def test_addresses(url: str, problem: str | None) -> None:
    """Sound and keys leave the machine encrypted or not at all."""
    if problem is None:
        check_address(url, kind="ws")
        return
    with pytest.raises(ValueError, match=problem) as caught:
        check_address(url, kind="ws")
    assert "secret" not in str(caught.value)


def test_options_do_not_show_their_key() -> None:
    """A key prints as stars wherever options are printed, and every engine has its options."""
    for options in (DeepgramOptions, AssemblyAIOptions, ENGINES["openai"].options):
        assert "visible" not in repr(options(key=Secret("visible")))
    assert {"assemblyai", "deepgram", "openai", "pocketsphinx", "vosk", "whisper"} == ENGINES.keys()
    assert all(name == engine.name and engine.options for name, engine in ENGINES.items())


def segment(text: str, start: float | None, end: float | None, **more: float) -> dict[str, Any]:
    return {"text": text, "start": start, "end": end, **more}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"text": "a b"}, [("a b", 0.3, 3.5, True)]),
        ({"text": ""}, []),
        ({"text": "a", "segments": []}, [("a", 0.3, 3.5, True)]),
        ({"text": "a", "segments": [segment("a", None, None)]}, [("a", 0.3, 3.5, True)]),
        ({"text": "a", "segments": [segment("a", 0, 0)]}, [("a", 0.3, 3.5, True)]),
        ({"text": "a", "segments": [segment("a", 0, 99)]}, [("a", 0.3, 3.5, True)]),
        ({"text": "a b", "segments": [segment("a", 2, 3), segment("b", 0, 1)]}, [("a b", 0.3, 3.5, True)]),
        (
            {"text": "a b", "segments": [segment(" a", 0, 1), segment(" b", 1, 2)]},
            [("a", 0, 1, True), ("b", 1, 2, True)],
        ),
        (
            {"text": "a b", "segments": [segment("a", 0, 1, no_speech_prob=0.9), segment("b", 1, 2)]},
            [("b", 1, 2, True)],
        ),
        ({"text": "Thank you.", "segments": [segment("Thank you.", 0, 0, no_speech_prob=0.9)]}, []),
        (
            {
                "text": "a",
                "segments": [segment("a", 0, 2)],
                "words": [{"word": "a", "start": 0.5, "end": 0.9}],
            },
            [("a", 0.5, 0.9, True)],
        ),
        ({"text": "a", "words": [{"word": " a", "start": 0.5, "end": 0.9}]}, [("a", 0.5, 0.9, True)]),
        ({"text": "a", "words": [{"word": "a", "start": 0, "end": 0}]}, [("a", 0.3, 3.5, True)]),
    ],
)
def test_answers_with_times_and_without(answer: dict[str, Any], expected: list[Any]) -> None:
    """Times are taken where there are usable ones, else those of the piece's speech; silence is dropped."""
    assert short(understood(json.dumps(answer).encode(), PIECE, no_speech=0.8)) == expected


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"text":1}', b'{"segments":[]}', b"\xff"])
def test_answers_that_are_none(body: bytes) -> None:
    """Something else than a transcript loses the session; the error does not repeat it."""
    with pytest.raises(EngineLost) as caught:
        understood(body, PIECE, no_speech=0.8)
    assert caught.value.__context__ is None
    assert error_code(body) is None
