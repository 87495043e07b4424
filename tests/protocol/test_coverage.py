"""What of a stream's sound is a gap, told by what comes back after a break."""

import pytest

from rtmsd.frames import MediaKind
from rtmsd.protocol.coverage import Coverage

ZERO_MS = 1_000_000_000


def _broken(spoke_until_ms: int, noticed_secs: float) -> Coverage:
    """A stream whose clock is the meeting's, that was heard until then, and broke at that time."""
    coverage = Coverage(
        kinds=(), started_ms=ZERO_MS, wall_offset=ZERO_MS / 1000, audio_until=lambda: ZERO_MS + spoke_until_ms
    )
    coverage.told(ZERO_MS, 0.0)
    coverage.lost(MediaKind.AUDIO, noticed_secs)
    coverage.live(MediaKind.AUDIO, noticed_secs + 59.5)
    return coverage


def test_what_was_sent_unread_before_a_break_and_is_no_longer_kept_is_a_gap() -> None:
    """A packet of the last second before a break of nearly a minute is out of Zoom's reach when it ends."""
    coverage = _broken(spoke_until_ms=9_200, noticed_secs=10.0)
    [gap] = coverage.frame(MediaKind.AUDIO, ZERO_MS + 9_600)
    assert (gap.from_ms - ZERO_MS, gap.to_ms - ZERO_MS) == (9_200, 9_600)


def test_what_is_kept_is_no_gap() -> None:
    """Somebody who was silent at first during a break of less than a minute was not missed."""
    coverage = _broken(spoke_until_ms=9_800, noticed_secs=10.0)
    assert coverage.frame(MediaKind.AUDIO, ZERO_MS + 14_000) == []


@pytest.mark.parametrize(
    ("crashed", "first_ms", "missing"),
    [
        (False, 20_000, None),  # nobody spoke
        (True, 20_000, (9_000, 16_000)),  # nobody knows for that long, since nothing was said of it
        (True, 12_000, (9_000, 12_000)),  # what came last was sent, and never read
        (True, 8_900, None),
        (False, 8_900, None),
    ],
)
def test_after_a_crash_what_was_sent_last_may_be_lost(
    crashed: bool, first_ms: int, missing: tuple[int, int] | None
) -> None:
    """A daemon that was stopped has read everything; one that died has not, and was connected for longer than it noted."""
    coverage = Coverage(
        kinds=(MediaKind.AUDIO,),
        started_ms=ZERO_MS,
        wall_offset=ZERO_MS / 1000,
        resumed_ms=ZERO_MS + 10_000,
        crashed=crashed,
    )
    coverage.told(ZERO_MS + 25_000, 25.0)
    coverage.live(MediaKind.AUDIO, 25.0)
    gaps = coverage.frame(MediaKind.AUDIO, ZERO_MS + first_ms)
    assert [(gap.from_ms - ZERO_MS, gap.to_ms - ZERO_MS) for gap in gaps] == ([missing] if missing else [])
    assert all(gap.cause == "daemon_restart" for gap in gaps)
