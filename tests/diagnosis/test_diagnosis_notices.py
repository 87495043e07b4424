"""What Zoom tells of an account is told on in a sentence."""

from __future__ import annotations

import pytest

from rtmsd.diagnosis.notices import explain_notice


@pytest.mark.parametrize(
    ("event", "said", "problem", "parts"),
    [
        (
            "rtms.concurrency_near_limit",
            {"concurrency_limit": 2000, "concurrency_number": 1601, "percentage": 80},
            True,
            ["1601 of 2000, 80 %", "Developer Pack"],
        ),
        ("rtms.concurrency_near_limit", {}, True, ["near its limit"]),
        (
            "rtms.concurrency_limited",
            {"concurrency_number": 5},
            True,
            ["5 streams", "the meeting u/1== is not recorded"],
        ),
        ("rtms.start_failed", {"error_message": "no scope."}, True, ["Zoom says: no scope. Check"]),
        ("rtms.start_failed", {}, True, ["Zoom did not say why"]),
        (
            "rtms.request_status",
            {"status": "approved", "n": 1},
            False,
            ["the request to stream", "n 1, status approved"],
        ),
        ("rtms.new_tomorrow", {}, False, ["rtms.new_tomorrow", "nothing more"]),
    ],
)
def test_each_notice_has_a_sentence(
    event: str, said: dict[str, str | int], problem: bool, parts: list[str]
) -> None:
    """The numbers that Zoom gave, the meeting, and a remedy where something is not recorded."""
    notice = explain_notice(event, uuid="u/1==", said=said)
    assert notice.problem is problem and all(part in notice.sentence for part in parts), notice.sentence
    assert notice.sentence.endswith(".")
