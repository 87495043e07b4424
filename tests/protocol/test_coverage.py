"""What of a stream's sound is a gap, told by what comes back after a break."""

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
