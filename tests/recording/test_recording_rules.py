"""The rules of placing and accounting, one by one."""

from __future__ import annotations

import os
import resource

import msgspec
import orjson
import pytest
from recording_samples import (
    FORMAT,
    INFO,
    RATE,
    ZERO,
    end,
    opened,
    packet,
    phrase,
    samples,
    spurt,
    tone,
    verified,
)

from rtmsd.errors import RecordingError
from rtmsd.frames import AudioFormat, Event, Gap, MediaKind, StreamEnd, StreamInfo
from rtmsd.recording import Recording, verify

HOUR = 3_600_000


def manifest_of(directory, *batches, flush=False):
    """Write batches, close, verify, and return the manifest."""
    recording = opened(directory)
    for batch in batches:
        recording.write(batch)
        if flush:
            recording.flush()
    recording.close()
    return verified(directory)


def gaps(manifest):
    return [(gap.cause, gap.from_ms - ZERO, gap.to_ms - ZERO, gap.user_id) for gap in manifest.gaps]


def secs(track):
    return track.present_secs, track.silent_secs, track.missing_secs, track.paused_secs


def test_zero_is_the_smallest_of_the_opening(tmp_path):
    """Zero is the smallest timestamp of the first 500 ms, even when it comes after others."""
    late = [packet(1, 480), packet(2, 0), packet(1, 520)]
    manifest = manifest_of(tmp_path, late, [end(1000)])
    assert manifest.zero_ms == ZERO
    assert (samples(tmp_path / "audio/user=2.wav")[:160] != 0).all()
    assert not samples(tmp_path / "audio/user=1.wav")[: 480 * 8].any()


def test_a_flush_decides_zero(tmp_path):
    """Files exist after a flush, so the zero is what is known then; what comes earlier is counted and ledgered."""
    manifest = manifest_of(tmp_path, [packet(1, 40)], [packet(2, 0), packet(2, 30)], [end(1040)], flush=True)
    assert manifest.zero_ms == ZERO + 40
    assert manifest.counts == {"before_zero": 2}
    assert gaps(manifest) == [("before_zero", 0, 40, 2)]
    assert secs(manifest.tracks[1])[0] == 0.01


def test_accounts(tmp_path):
    """Present, silent, missing and paused seconds of tracks that were and were not hit."""
    manifest = manifest_of(
        tmp_path,
        spurt(1, 0, 1000),
        [Gap("socket_down", ZERO + 1000, ZERO + 2000)],
        [Gap("lane_full", ZERO + 3000, ZERO + 3500, MediaKind.AUDIO, 2)],
        spurt(2, 2000, 3000),
        [Event("session_paused", ZERO + 4000), Event("session_resumed", ZERO + 6000)],
        [end(10_000)],
    )
    assert secs(manifest.tracks[0]) == (1, 6, 1, 2)
    assert secs(manifest.tracks[1]) == (1, 5.5, 1.5, 2)
    assert manifest.completeness == 13.5 / 16


def test_transcript_gaps_do_not_count(tmp_path):
    """A gap of the transcript stands in the ledger and leaves the completeness of the sound alone."""
    gap = Gap("socket_down", ZERO + 100, ZERO + 200, MediaKind.TRANSCRIPT)
    manifest = manifest_of(tmp_path, [packet(1, 0), gap, end(1000)])
    assert manifest.completeness == 1
    assert manifest.gaps == (gap,)


def test_recovered_gaps_vanish(tmp_path):
    """A gap that a replay filled is no gap: not for who spoke in it, not for who was silent."""
    hole = Gap("socket_down", ZERO + 600, ZERO + 1000)
    batches = [*spurt(1, 0, 600), *spurt(2, 0, 100)], [hole], spurt(1, 600, 1000), [end(2000)]
    manifest = manifest_of(tmp_path, *batches)
    assert (manifest.gaps, manifest.completeness) == ((), 1)


def test_another_users_sound_before_the_gap_proves_nothing(tmp_path):
    """What came before a gap was reported fills the speaker's own track only."""
    hole = Gap("socket_down", ZERO + 600, ZERO + 1000)
    manifest = manifest_of(tmp_path, [packet(2, 0), *spurt(1, 0, 1000)], [hole], [end(2000)])
    assert [track.missing_secs for track in manifest.tracks] == [0, 0.4]
    assert gaps(manifest) == [("socket_down", 600, 1000, None)]


def test_gaps_outside_the_recording_stand(tmp_path):
    """What was lost before the first sound is in the ledger, though no track can show it."""
    manifest = manifest_of(tmp_path, [Gap("not_delivered", ZERO - 500, ZERO)], [packet(1, 0), end(1000)])
    assert gaps(manifest) == [("not_delivered", -500, 0, None)]
    assert manifest.completeness == 1


def test_pause_outweighs_gap_and_ends_with_the_recording(tmp_path):
    """In a pause nothing was due, also when it never ended."""
    pause = Event("session_paused", ZERO + 500)
    manifest = manifest_of(
        tmp_path, [packet(1, 0), pause, Gap("socket_down", ZERO + 500, ZERO + 900), end(1000)]
    )
    assert secs(manifest.tracks[0]) == (0.02, 0.48, 0, 0.5)


def test_last_sample_may_outlast_the_end(tmp_path):
    """The duration runs to the last sample when that is later than the end, and all tracks have it."""
    manifest = manifest_of(tmp_path, [packet(1, 0), packet(2, 990), end(1000)])
    assert manifest.duration_ms == 1010
    assert {len(samples(path)) for path in (tmp_path / "audio").iterdir()} == {8080}


def test_one_wrong_timestamp_is_refused(tmp_path):
    """A single packet from another day makes no file of days: it is counted and ledgered."""
    day = 24 * HOUR
    manifest = manifest_of(tmp_path, [packet(1, 0), packet(1, day, tone(1)), packet(1, 20), end(1000)])
    assert manifest.duration_ms == 1000
    assert manifest.counts == {"bad_timestamp": 1}
    assert gaps(manifest) == [("bad_timestamp", day, day + 20, 1)]
    assert secs(manifest.tracks[0])[:3] == (0.04, 0.96, 0)


@pytest.mark.parametrize("first", [-10 * HOUR, 50 * HOUR])
def test_a_wrong_first_timestamp_does_not_choose_zero(tmp_path, first):
    """The very first packet may be the wrong one, with nothing known before it."""
    info = msgspec.structs.replace(INFO, started_ms=0)
    recording = Recording.open(tmp_path, info, version="0")
    recording.write([packet(1, first, tone(1)), *spurt(1, 0, 1000), end(1000)])
    recording.close()
    manifest = verify(tmp_path).manifest
    assert (manifest.zero_ms, manifest.duration_ms, manifest.counts) == (ZERO, 1000, {"bad_timestamp": 1})


def test_hours_of_silence_are_believed(tmp_path):
    """After hours without any item a packet is believed as soon as the next item agrees, and nothing is lost."""
    manifest = manifest_of(tmp_path, [packet(1, 0)], [packet(1, 3 * HOUR)], [end(3 * HOUR + 500)])
    assert manifest.counts == {}
    assert manifest.tracks[0].present_secs == 0.04
    assert (samples(tmp_path / "audio/user=1.wav")[3 * HOUR * 8 :][:160] != 0).all()


def test_nothing_is_longer_than_36_hours(tmp_path):
    """Also what agrees with itself is refused beyond the longest recording."""
    far = 40 * HOUR
    manifest = manifest_of(tmp_path, [packet(1, 0), packet(1, far), packet(1, far + 20), end(1000)])
    assert manifest.counts == {"bad_timestamp": 2}
    assert manifest.tracks[0].present_secs == 0.02


def test_first_format_stays(tmp_path):
    """A packet in another format, or in none that can be written, is refused and counts as missing."""
    other, unknown = AudioFormat("L16", 16_000, 1, True), AudioFormat("AMR", RATE, 1, True)
    manifest = manifest_of(
        tmp_path,
        [packet(1, 0), packet(1, 20, tone(1, rate=16_000), other), packet(1, 40, b"amr", unknown), end(1000)],
    )
    assert manifest.counts == {"format_changed": 1, "format_unsupported": 1}
    assert manifest.tracks[0].missing_secs == 0.02


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (16_000, 2), (48_000, 1), (11_025, 2)])
def test_any_rate(tmp_path, rate, channels):
    """Rates and channels are taken as they come."""
    form = AudioFormat("L16", rate, channels, True)
    data = tone(7, 20 * channels, rate)[: rate // 50 * 2 * channels]
    manifest = manifest_of(tmp_path, [packet(1, at, data, form) for at in range(0, 1000, 20)] + [end(1000)])
    track = manifest.tracks[0]
    assert (track.rate, track.channels, track.samples) == (rate, channels, rate)
    assert track.account.present == rate // 50 * 50


def test_zooms_own_mix(tmp_path):
    """Mixed audio is one track, called 0, and its file is the mixed one."""
    form = AudioFormat("L16", RATE, 1, False)
    manifest = manifest_of(tmp_path, [packet(0, at, None, form) for at in (0, 20)] + [end(100)])
    assert [(track.user_id, track.file) for track in manifest.tracks] == [(0, "audio/mixed.wav")]
    assert [path.name for path in (tmp_path / "audio").iterdir()] == ["mixed.wav"]


def test_mix_saturates(tmp_path):
    """The sum of loud tracks is as loud as it can be, not wrapped around."""
    loud = b"\xff\x7f" * 160
    manifest_of(tmp_path, [packet(1, 0, loud), packet(2, 0, loud), end(20)])
    assert (samples(tmp_path / "audio/mixed.wav") == 32767).all()


def test_mix_of_more_tracks_than_files_may_be_open(tmp_path):
    """However many spoke, closing needs few open files at a time."""
    talk = [packet(user_id, at) for at in (0, 20) for user_id in range(1, 101)]
    used = set(map(int, os.listdir("/proc/self/fd")))
    free = [number for number in range(len(used) + 31) if number not in used]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[30], hard))
    try:
        manifest = manifest_of(tmp_path, [*talk, end(40)])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(manifest.tracks) == 100 and samples(tmp_path / "audio/mixed.wav").all()


def test_without_audio(tmp_path):
    """A stream without sound closes too: zero is its start, and its phrases lie on that time."""
    manifest = manifest_of(tmp_path, [phrase(1, 0, 1500, "Hi")], [end(5000)])
    assert (manifest.zero_ms, manifest.duration_ms, manifest.tracks) == (INFO.started_ms, 7000, ())
    assert orjson.loads((tmp_path / "transcript.jsonl").read_bytes())["start"] == 2.0


def test_without_anything(tmp_path):
    """The end alone makes a valid recording of nothing."""
    manifest = manifest_of(tmp_path, [end(0)])
    assert (manifest.duration_ms, manifest.completeness) == (2000, 1)


def test_a_stream_that_was_never_connected_is_not_complete(tmp_path):
    """Without a single packet the reported gap is all there is."""
    manifest = manifest_of(tmp_path, [Gap("socket_down", ZERO - 2000, ZERO), end(0)])
    assert manifest.completeness == 0


def test_manifest_says_who_and_why(tmp_path):
    """Names over time, the stop and the reconnects are in the manifest; no name is in a path."""
    renamed = msgspec.structs.replace(packet(1, 20), user_name="Ann B")
    events = [Event("socket_reopened", ZERO + 10), Event("participant_joined", ZERO, 1, "Ann", {"x": [1]})]
    manifest = manifest_of(tmp_path, [packet(1, 0), renamed, *events, end(1000)])
    assert manifest.tracks[0].names == ("Name 1", "Ann B")
    assert (manifest.reconnects, manifest.stop.reason, manifest.stop.name) == (1, 6, "MEETING_ENDED")
    assert not [path for path in tmp_path.rglob("*") if "Ann" in path.name]
    lines = [orjson.loads(line) for line in (tmp_path / "events.jsonl").read_bytes().splitlines()]
    assert lines[1] == {
        "timestamp_ms": ZERO,
        "name": "participant_joined",
        "user_id": 1,
        "user_name": "Ann",
        "details": {"x": [1]},
    }
    keys = orjson.loads((tmp_path / "manifest.json").read_bytes())
    assert {
        "schema",
        "rtmsd",
        "app",
        "product",
        "meeting_id",
        "meeting_uuid",
        "stream_id",
        "files",
    } <= keys.keys()


def test_odd_text_is_written(tmp_path):
    """Half a surrogate pair or a giant number in an event does not stop a recording."""
    odd = Event("participant_joined", ZERO, 1, "\ud800", {"n": 2**70})
    manifest_of(tmp_path, [odd, phrase(1, 0, 100, "a\ud83dz"), packet(1, 0), end(100)])


def test_close_needs_the_end(tmp_path):
    """Without a StreamEnd a recording can only be suspended."""
    recording = opened(tmp_path)
    recording.write([packet(1, 0)])
    with pytest.raises(RecordingError, match="suspend"):
        recording.close()
    recording.suspend()


def test_absurd_ends(tmp_path):
    """An end from another age does not stretch the recording; the first end stays."""
    absurd = StreamEnd(None, "UNDEFINED", "It ended.", 2**62)
    manifest = manifest_of(tmp_path, [packet(1, 0), packet(1, 900), absurd, end(2000)])
    assert (manifest.duration_ms, manifest.stop.name) == (920, "UNDEFINED")


def test_empty_and_torn_packets(tmp_path):
    """A packet without a whole sample adds nothing; half a sample at the end of one is cut."""
    manifest = manifest_of(tmp_path, [packet(1, 0, b""), packet(1, 0, b"\1\1\1"), end(100)])
    assert manifest.tracks[0].account.present == 1


def test_info_is_enough(tmp_path):
    """A stream that Zoom says little about can be recorded."""
    info = StreamInfo(app="a", product="", stream_id="x", meeting_uuid="")
    recording = Recording.open(tmp_path, info, version="0")
    recording.write([msgspec.structs.replace(packet(1, 0), format=FORMAT), end(100)])
    recording.close()
    assert verify(tmp_path).ok
