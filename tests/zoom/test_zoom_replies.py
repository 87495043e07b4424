"""What Zoom's answers mean, and how long they ask to wait."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtmsd.zoom.limits import LONGEST_WAIT_SECS, retry_after_secs
from rtmsd.zoom.meetings import twice_encoded
from rtmsd.zoom.replies import Reply, Verdict, meaning, read_reply


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [  # protocol.md §4.2, row by row
        (204, b"", Verdict.ACCEPTED),
        (200, b'{"ok":true}', Verdict.ACCEPTED),
        (202, b"not json", Verdict.ACCEPTED),
        (400, b'{"code":2308,"message":"Not allowed to start RTMS app"}', Verdict.CHANGED),
        (403, b'{"code":2308,"message":"Not allowed to start RTMS app"}', Verdict.CHANGED),
        (400, b'{"code":2310,"message":"Failed to perform RTMS app operation."}', Verdict.LATER),
        (400, b'{"code":3000,"message":"Cannot access meeting."}', Verdict.LATER),
        (403, b'{"code":13262,"message":"..."}', Verdict.PERSON),
        (403, b'{"message":"Only host or alternative host"}', Verdict.CHANGED),
        (400, b'{"message":"RTMS already started for this meeting"}', Verdict.ALREADY),
        (404, b'{"code":3001,"message":"Meeting does not exist"}', Verdict.NEVER),
        (404, b"<html>", Verdict.NEVER),
        (401, b'{"code":124,"message":"Invalid access token."}', Verdict.TOKEN),
        (401, b"", Verdict.TOKEN),
        (400, b'{"code":4711,"message":"Invalid access token, does not contain scopes"}', Verdict.PERSON),
        (400, b'{"code":"4700","message":"..."}', Verdict.PERSON),
        (400, b'{"code":300,"message":"Validation Failed.","errors":[]}', Verdict.NEVER),
        (429, b'{"code":429,"message":"..."}', Verdict.LATER),
        (500, b"<html>oops</html>", Verdict.LATER),
        (503, b"", Verdict.LATER),
        (418, b'{"code":9999}', Verdict.NEVER),
    ],
)
def test_every_row_of_the_error_table_has_its_verdict(status: int, body: bytes, verdict: Verdict) -> None:
    """The code decides before the text, the text before the HTTP status; each has a sentence."""
    found = meaning(read_reply(status, body))
    assert found.verdict is verdict
    assert found.sentence.endswith(".")


@given(st.integers(100, 599), st.binary(max_size=300))
def test_any_answer_means_something(status: int, body: bytes) -> None:
    """Whatever a server sends is judged, never an error."""
    assert meaning(read_reply(status, body)).sentence


def test_no_answer_is_tried_again() -> None:
    """A network fault passes."""
    assert meaning(Reply(0, message="no connection")).verdict is Verdict.LATER


@pytest.mark.parametrize(
    ("headers", "secs"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": "2026-11-21T00:00:00Z"}, 60.0),
        ({"Retry-After": "2026-11-21T00:00:00"}, 60.0),
        ({"Retry-After": "Sat, 21 Nov 2026 00:00:00 GMT"}, 60.0),
        ({"Retry-After": "2026-11-20T00:00:00Z"}, 0.0),
        ({"Retry-After": "9999999"}, LONGEST_WAIT_SECS),
        ({"Retry-After": "soon", "X-RateLimit-Reset": "1795219145"}, 5.0),
        ({"X-RateLimit-Reset": "1795219145"}, 5.0),
        ({"Retry-After": "soon"}, None),
        ({}, None),
        ({"Retry-After": "Sat, 21 Nov 2026 00:00:00 +99999999999999"}, None),
        ({"Retry-After": "0001-01-01T00:00:00+14:00"}, 0.0),
        ({"Retry-After": "9999-12-31T23:59:59-23:59"}, LONGEST_WAIT_SECS),
    ],
)
def test_both_forms_of_retry_after_are_read(headers: dict[str, str], secs: float | None) -> None:
    """Seconds, ISO dates, HTTP dates and reset times; nonsense asks for nothing (protocol.md §4.6)."""
    assert retry_after_secs(headers, now_s=1795219140.0) == secs


ODD_DATES = st.builds(
    "{}{}{}".format,
    st.datetimes().map(lambda when: when.isoformat()),
    st.sampled_from(["", "Z", "+14:00", "-23:59", "+00:00:59"]),
    st.sampled_from(["", " ", "x"]),
) | st.builds(
    "{}, {} {} {} {:02}:{:02}:{:02} {}".format,
    st.sampled_from(["Sat", "x"]),
    st.integers(-1, 99) | st.integers(),
    st.sampled_from(["Nov", "Jan", "y"]),
    st.integers(-1, 100_000) | st.integers(),
    st.integers(0, 99),
    st.integers(0, 99),
    st.integers(0, 99),
    st.sampled_from(["GMT", "+9999", "-9999", "+99999999999999", "z"]),
)


@given(st.sampled_from(["Retry-After", "X-RateLimit-Reset"]), ODD_DATES | st.text() | st.integers().map(str))
def test_no_header_makes_us_fail_or_wait_for_ever(name: str, value: str) -> None:
    """Whatever stands there is nonsense, or asks for no less than nothing and no more than the longest wait."""
    secs = retry_after_secs({name: value}, now_s=1795219140.0)
    assert secs is None or 0 <= secs <= LONGEST_WAIT_SECS


@pytest.mark.parametrize(
    ("uuid", "path"),
    [
        ("4444AAAiAAAAAiAiAiiAii==", "4444AAAiAAAAAiAiAiiAii%253D%253D"),
        ("/ajXp112QmuoKj4854875==", "%252FajXp112QmuoKj4854875%253D%253D"),
        ("abc//DEF==", "abc%252F%252FDEF%253D%253D"),
    ],
)
def test_uuids_in_paths_are_encoded_twice(uuid: str, path: str) -> None:
    """The vectors of protocol.md §4.5."""
    assert twice_encoded(uuid) == path
