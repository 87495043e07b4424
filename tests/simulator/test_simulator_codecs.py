"""Every codec of protocol.md §5.5: which parameters may be had, and what the packets hold."""

from __future__ import annotations

import itertools
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtmsd.protocol.codes import MediaDataType, MediaPayloadType, StatusCode
from rtmsd.simulator import (
    AudioParams,
    Joins,
    Meeting,
    Person,
    Says,
    Span,
    Truth,
    load_sentences,
    sent_audio,
)
from rtmsd.simulator.audio_codecs import alaw
from rtmsd.simulator.media_params import Refused, media_params
from rtmsd.simulator.refusal import Strictness
from rtmsd.simulator.speech.encoded import HUMS, encoded_step, hum_name
from rtmsd.simulator.stage import Stage

ANN, BO = 16778240, 16779264
L16, G711, G722, OPUS = (int(MediaPayloadType[name]) for name in ("L16", "G711", "G722", "OPUS"))
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


def confirmed(asked: dict[str, object], strictness: Strictness = "zoom") -> dict[str, int]:
    return media_params({"audio": asked}, MediaDataType.AUDIO, strictness).confirmed()["audio"]


def played(seconds: float = 5.0) -> Truth:
    """Two who speak, for a while together."""
    sentences = load_sentences()
    people = (Person(ANN, "A"), Person(BO, "B"))
    says = (Says(100, ANN, sentences["begin"]), Says(1_000, BO, sentences["mine"]))
    meeting = Meeting(people, (Joins(0, ANN), Joins(0, BO), *says), int(seconds * 1000))
    truth = Truth(stream_id="s")
    stage = Stage(meeting, zero_ms=1_700_000_000_000, truth=truth)
    while not stage.over:
        stage.step()
    return truth


def valid_combinations() -> list[tuple[int, int, int, int, int]]:
    """The matrix of protocol.md §5.5: content type, codec, rate, channels, send rate."""
    l16 = itertools.product([2], [L16], [0, 1, 2, 3], [1, 2], [20, 100, 1000])
    opus = itertools.product([1, 2], [OPUS], [3], [1, 2], [20])
    return [
        *l16,
        *opus,
        *((kind, codec, rate, 1, 20) for kind in (1, 2) for codec, rate in ((G711, 0), (G722, 1))),
    ]


@pytest.mark.parametrize("combination", valid_combinations(), ids=str)
def test_every_valid_combination_is_confirmed_as_asked(combination: tuple[int, ...]) -> None:
    """Each row of the matrix of §5.5 can be had, mixed and per participant."""
    keys = ("content_type", "codec", "sample_rate", "channel", "send_rate")
    for data_opt in (1, 2):
        asked: dict[str, object] = {**dict(zip(keys, combination, strict=True)), "data_opt": data_opt}
        assert confirmed(asked) == asked


def test_a_codec_s_only_rate_is_its_default() -> None:
    """Who asks for a codec alone gets the rate that it has."""
    assert [confirmed({"codec": codec})["sample_rate"] for codec in (L16, G711, G722, OPUS)] == [1, 0, 1, 3]


@pytest.mark.parametrize(
    ("asked", "strictness", "outcome"),
    [
        ({"codec": OPUS, "sample_rate": 1}, "zoom", StatusCode.INVALID_MEDIA_AUDIO_SAMPLE_RATE),
        ({"codec": OPUS, "send_rate": 40}, "zoom", StatusCode.INVALID_MEDIA_AUDIO_SEND_RATE),
        ({"codec": G711, "sample_rate": 1}, "lenient", StatusCode.INVALID_MEDIA_AUDIO_SAMPLE_RATE),
        ({"codec": G711, "channel": 2}, "zoom", StatusCode.INVALID_MEDIA_AUDIO_CHANNEL),
        ({"codec": G722, "channel": 2}, "zoom", StatusCode.INVALID_MEDIA_AUDIO_CHANNEL),
        ({"codec": G722, "send_rate": 1020}, "zoom", StatusCode.INVALID_MEDIA_AUDIO_SEND_RATE),
        ({"content_type": 3}, "lenient", StatusCode.INVALID_MEDIA_AUDIO_CONTENT_TYPE),
        ({"channel": 2}, "zoom", {"channel": 2}),
        ({"channel": 2}, "strict", StatusCode.INVALID_MEDIA_AUDIO_CHANNEL),
        ({"codec": OPUS, "channel": 2}, "strict", {"channel": 2}),
        ({"content_type": 1}, "zoom", StatusCode.INVALID_MEDIA_AUDIO_CONTENT_TYPE),
        ({"content_type": 1}, "strict", StatusCode.INVALID_MEDIA_AUDIO_CONTENT_TYPE),
        ({"content_type": 1}, "lenient", {"content_type": 2}),
        ({"send_rate": 2000}, "zoom", {"send_rate": 1000}),
        ({"send_rate": 2000}, "strict", StatusCode.INVALID_MEDIA_AUDIO_SEND_RATE),
        ({"send_rate": 2000}, "lenient", {"send_rate": 1000}),
    ],
)
def test_contested_and_wrong_audio_is_judged_by_strictness(
    asked: dict[str, object], strictness: Strictness, outcome: StatusCode | dict[str, int]
) -> None:
    """C21, C22 and C24 have an answer for each strictness; what is wrong in every document is refused by all."""
    if isinstance(outcome, dict):
        assert outcome.items() <= confirmed(asked, strictness).items()
        return
    with pytest.raises(Refused) as refused:
        confirmed(asked, strictness)
    assert refused.value.status is outcome


@pytest.mark.parametrize("send_rate", [20, 60, 1000])
@pytest.mark.parametrize("channel", [1, 2])
@pytest.mark.parametrize(("rate", "hz"), [(0, 8_000), (1, 16_000), (2, 32_000), (3, 48_000)])
def test_l16_packets_have_the_size_of_their_rate(rate: int, hz: int, channel: int, send_rate: int) -> None:
    """Each packet is as large as §5.6.1 says, and all together are what was said; only a spurt's last is shorter."""
    truth = played()
    params = AudioParams(sample_rate=rate, channel=channel, data_opt=2, send_rate=send_rate)
    for user_id, packets in sent_audio(truth, params).items():
        whole = hz * send_rate // 1000 * 2 * channel
        assert {len(data) for _, data in packets[:-1]} <= {whole} and len(packets[-1][1]) <= whole
        assert sum(len(data) for _, data in packets) == truth.spoken_ms(user_id) * hz // 1000 * 2 * channel
    if (rate, channel) == (1, 1):
        assert sent_audio(truth, params)[ANN] == truth.packets(ANN, send_rate)


@pytest.mark.parametrize("codec", [G711, G722, OPUS])
def test_the_other_codecs_have_a_packet_for_each_20_ms(codec: int) -> None:
    """Per participant and mixed: a packet for each 20 ms of sound, and different people's are different."""
    truth = played()
    rate = {G711: 0, G722: 1, OPUS: 3}[codec]
    each = sent_audio(truth, AudioParams(rate, 1, 2, 20, codec))
    for user_id, packets in each.items():
        assert [at for at, _ in packets] == [at for at, _ in truth.packets(user_id, 20)]
        assert codec == OPUS or {len(data) for _, data in packets} == {160}
    heard = sorted({at for packets in each.values() for at, _ in packets})
    mixed = sent_audio(truth, AudioParams(rate, 1, 1, 20, codec))
    assert [at for at, _ in mixed[0]] == heard and list(mixed) == [0]
    assert not {data for _, data in each[ANN]} & {data for _, data in each[BO]}


def test_hums_stand_in_for_sound_that_was_not_encoded() -> None:
    """Noise and tones are one of four hums in Opus and G.722, which go on for ever."""
    assert len({encoded_step(hum_name(number), 30, "opus") for number in range(HUMS)}) == HUMS
    assert encoded_step("hum0", 0, "g722") == encoded_step("hum0", 50, "g722")


def test_alaw_is_within_half_a_step_of_every_sample() -> None:
    """A-law of all 65 536 samples decodes (by the table of G.711) to the sample, give or take half its step."""
    samples = np.arange(-32768, 32768).astype(np.int16)
    codes = np.frombuffer(alaw(samples), np.uint8).astype(np.int32) ^ 0x55
    exponent, mantissa = codes >> 4 & 7, codes & 15
    step = np.where(exponent > 1, 16 << np.maximum(exponent - 1, 0), 16)
    magnitude = np.where(exponent > 0, (mantissa + 16) * step, mantissa * step) + step // 2
    decoded = np.where(codes & 0x80, magnitude, -magnitude)
    assert np.all(np.abs(decoded - samples.astype(np.int32)) <= step // 2)


def _decoded(data: bytes, *what: str) -> np.ndarray:
    command = ["ffmpeg", "-v", "error", *what, "-i", "-", "-f", "s16le", "-ar", "16000", "-ac", "1", "-"]
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    return np.frombuffer(done.stdout, "<i2").astype(np.float64)


@needs_ffmpeg
@pytest.mark.parametrize(
    ("codec", "what"), [(G711, ("-f", "alaw", "-ar", "8000", "-ac", "1")), (G722, ("-f", "g722"))]
)
def test_ffmpeg_hears_the_sentence(codec: int, what: tuple[str, ...]) -> None:
    """What ffmpeg decodes from the packets is what was said, as far as the codec can tell it."""
    truth = played()
    rate = 0 if codec == G711 else 1
    packets = sent_audio(truth, AudioParams(rate, 1, 2, 20, codec))[ANN]
    heard = _decoded(b"".join(data for _, data in packets), *what)
    said = np.frombuffer(b"".join(data for _, data in truth.packets(ANN, 20)), "<i2").astype(np.float64)
    assert abs(len(heard) - len(said)) <= 64
    assert _likeness(heard, said) > 0.9


def _likeness(one: np.ndarray, other: np.ndarray) -> float:
    """The best correlation within a few milliseconds of delay."""
    size = min(len(one), len(other)) - 200
    return max(
        float(np.corrcoef(one[delay : delay + size], other[:size])[0, 1]) for delay in range(0, 200, 2)
    )


def test_no_asset_is_missing_and_all_of_them_are_small() -> None:
    """Every sentence and hum is there in each encoding, and the package grows by less than 1.5 MB."""
    for name in [*load_sentences(), *map(hum_name, range(HUMS))]:
        for encoding in ("opus", "stereo.opus", "g722"):
            assert encoded_step(name, 0, encoding)  # type: ignore[arg-type]
    simulator = Path(__file__).parents[2] / "rtmsd" / "simulator"
    files = [path for path in simulator.rglob("*.*") if path.suffix not in (".py", ".wav", ".pyc")]
    assert sum(path.stat().st_size for path in files) < 1_500_000


@pytest.mark.parametrize(
    ("codec", "rate", "kind", "ticks"), [(G711, 0, 8, 160), (G722, 1, 9, 160), (OPUS, 3, 111, 960)]
)
def test_rtp_is_the_same_data_with_a_header(codec: int, rate: int, kind: int, ticks: int) -> None:
    """Content type 1 puts the header of RFC 3550 before each packet; its numbers go up evenly."""
    truth = played()
    plain = sent_audio(truth, AudioParams(rate, 1, 2, 20, codec))[ANN]
    with_header = sent_audio(truth, AudioParams(rate, 1, 2, 20, codec, 1))[ANN]
    headers = [struct.unpack(">BBHII", data[:12]) for _, data in with_header]
    assert [(at, data[12:]) for at, data in with_header] == plain
    assert {header[:2] + header[4:] for header in headers} == {(0x80, kind, ANN)}
    for one, other in itertools.pairwise(headers):
        assert ((other[2] - one[2]) % 2**16, (other[3] - one[3]) % 2**32) == (1, ticks)


@given(
    spans=st.lists(st.tuples(st.sampled_from([ANN, BO]), st.integers(1, 9), st.integers(0, 6)), max_size=12),
    send_rate=st.sampled_from([20, 60, 100]),
)
def test_what_was_sent_is_rebuilt_from_any_truth(spans: list[tuple[int, int, int]], send_rate: int) -> None:
    """Whoever spoke when: per person the packets are those of the spans, and the mix has all of their sound once."""
    truth = Truth(names={ANN: "A", BO: "B"})
    ends = {ANN: 0, BO: 0}
    for number, (user_id, steps, pause) in enumerate(spans):
        span = Span(ends[user_id] + (pause + 1) * 20)
        for step in range(steps):
            span.add(np.full(320, number + 1, "<i2").tobytes(), "hum0", step)
        ends[user_id] = span.end_ms
        truth.tracks.setdefault(user_id, []).append(span)
    assert sent_audio(truth, AudioParams(data_opt=2, send_rate=send_rate)) == {
        user_id: truth.packets(user_id, send_rate) for user_id in truth.tracks
    }
    mixed = np.zeros(max(ends.values()) * 16, np.int64)
    for timestamp_ms, data in sent_audio(truth, AudioParams(data_opt=1, send_rate=send_rate)).get(0, []):
        mixed[timestamp_ms * 16 : timestamp_ms * 16 + len(data) // 2] += np.frombuffer(data, "<i2")
    alone = np.zeros_like(mixed)
    for one in (span for spans in truth.tracks.values() for span in spans):
        alone[one.timestamp_ms * 16 : one.end_ms * 16] += np.frombuffer(bytes(one.pcm), "<i2")
    np.testing.assert_array_equal(mixed, alone)
