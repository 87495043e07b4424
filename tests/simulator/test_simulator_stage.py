import numpy as np
import pytest

from rtmsd.errors import SimulatorError
from rtmsd.protocol.codes import EventType
from rtmsd.simulator import (
    Action,
    Joins,
    Leaves,
    Meeting,
    Mutes,
    Person,
    Says,
    Sentence,
    Truth,
    Unmutes,
    default_meeting,
)
from rtmsd.simulator.sound import AudioParams, PacketCutter, mix
from rtmsd.simulator.speech import load_sentences
from rtmsd.simulator.stage import Moment, Stage

ZERO = 1_738_392_033_699
ANN, BO, CY = 16778240, 16779264, 16780288


def noise(ms: int, seed: int = 1) -> Sentence:
    return Sentence("some words", np.random.default_rng(seed).integers(-9000, 9000, ms * 16, "<i2").tobytes())


def meeting(*timeline: Action, ends_ms: int = 4000) -> Meeting:
    return Meeting((Person(ANN, "A"), Person(BO, "B")), (Joins(0, ANN), Joins(0, BO), *timeline), ends_ms)


def played(what: Meeting) -> tuple[Truth, list[Moment]]:
    truth = Truth()
    stage = Stage(what, zero_ms=ZERO, truth=truth)
    moments = []
    while not stage.over:
        moments.append(stage.step())
    stage.end()
    return truth, moments


def test_the_default_meeting_has_overlap_mute_a_late_arrival_and_an_early_leave() -> None:
    """The default meeting plays everything that it promises, and each phrase heard has its transcript in time."""
    what = default_meeting()
    truth, moments = played(what)
    assert truth.ended_ms == ZERO + 24_500
    assert [change.user_id for change in truth.joins] == [ANN, BO, CY]
    assert truth.joins[2].timestamp_ms == ZERO + 5000
    assert [change.user_id for change in truth.leaves] == [CY]
    assert truth.leaves[0].timestamp_ms < truth.ended_ms
    together = [moment for moment in moments if len(moment.sounds) == 2]
    assert 800 <= len(together) * 20 <= 1200
    said = [action for action in what.timeline if isinstance(action, Says)]
    assert len(truth.phrases) == len(said) - 1, "what is said on mute is not heard"
    ready = {phrase: moment.at_ms for moment in moments for phrase in moment.phrases}
    assert list(ready) == sorted(truth.phrases, key=ready.__getitem__) and set(ready) == set(truth.phrases)
    assert all(500 <= at_ms - phrase.end_ms <= 2000 for phrase, at_ms in ready.items())
    assert min(ready.values()) <= ZERO + 8000
    assert truth.tracks[ANN][0].timestamp_ms == ZERO + 700


def test_transcripts_have_the_words_and_times_of_the_sound() -> None:
    """Each phrase spans exactly a span of its speaker's track that holds that sentence's samples."""
    truth, _ = played(default_meeting())
    by_text = {sentence.text: sentence.pcm for sentence in load_sentences().values()}
    for phrase in truth.phrases:
        (span,) = [span for span in truth.tracks[phrase.user_id] if span.timestamp_ms == phrase.start_ms]
        assert span.end_ms == phrase.end_ms
        assert bytes(span.pcm) == by_text[phrase.text]


@pytest.mark.parametrize("seconds", [3, 8, 24.5, 60])
def test_a_default_meeting_of_another_length_ends_then_and_owes_no_transcript(seconds: float) -> None:
    """Cut short or gone round again, every sentence's transcript comes before the end."""
    truth, moments = played(default_meeting(seconds))
    assert truth.ended_ms == ZERO + int(seconds * 1000)
    assert {phrase for moment in moments for phrase in moment.phrases} == set(truth.phrases)
    assert (len(truth.phrases) > 9) == (seconds == 60)


def test_the_committed_speech_is_small_loud_and_unclipped() -> None:
    """All WAVs together stay below 700 kB, peak at -6 dBFS and are neither silent nor clipped."""
    sentences = load_sentences()
    assert sum(len(sentence.pcm) for sentence in sentences.values()) < 700_000
    for sentence in sentences.values():
        samples = np.frombuffer(sentence.pcm, "<i2").astype(float)
        assert 16_000 <= np.abs(samples).max() <= 16_500
        assert np.sqrt((samples**2).mean()) > 1000


def test_a_mute_cuts_the_sound_and_takes_the_transcript() -> None:
    """Muted in mid-sentence: no sound until unmuted, a new spurt after it, and no transcript."""
    words = noise(2000)
    truth, _ = played(meeting(Says(100, ANN, words), Mutes(500, ANN), Unmutes(900, ANN)))
    first, second = truth.tracks[ANN]
    assert (first.timestamp_ms, first.end_ms) == (ZERO + 100, ZERO + 500)
    assert (second.timestamp_ms, second.end_ms) == (ZERO + 900, ZERO + 2100)
    assert bytes(second.pcm) == words.pcm[800 * 32 :]
    assert truth.phrases == []


def test_who_has_left_is_not_heard() -> None:
    """Sound stops when its speaker leaves, and the leave is told at that moment."""
    truth, moments = played(meeting(Says(100, ANN, noise(1000)), Leaves(600, ANN)))
    assert truth.spoken_ms(ANN) == 500
    (told,) = [m.at_ms for m in moments for h in m.happenings if h.kind is EventType.PARTICIPANT_LEAVE]
    assert told == truth.leaves[0].timestamp_ms == ZERO + 600


def test_the_active_speaker_changes_when_another_begins() -> None:
    """Two sentences of one speaker are one change; somebody else's is the next."""
    truth, _ = played(
        meeting(Says(0, ANN, noise(200)), Says(400, ANN, noise(200)), Says(800, BO, noise(200)))
    )
    assert [(change.timestamp_ms - ZERO, change.user_id) for change in truth.speakers] == [
        (0, ANN),
        (800, BO),
    ]


def test_a_pause_is_heard_by_nobody() -> None:
    """Between pause and resume nothing is in the tracks, and what was transcribed waits for the resume."""
    truth = Truth()
    stage = Stage(
        meeting(Says(0, ANN, noise(400)), Says(600, BO, noise(2000))),
        zero_ms=ZERO,
        truth=truth,
    )
    for _ in range(40):
        stage.step()
    stage.pause()
    paused = [stage.step() for _ in range(60)]
    stage.resume()
    later = [stage.step() for _ in range(20)]
    assert not any(moment.sounds or moment.phrases for moment in paused)
    assert [(pause.start_ms - ZERO, (pause.end_ms or 0) - ZERO) for pause in truth.pauses] == [(800, 2000)]
    assert [span.timestamp_ms - ZERO for span in truth.tracks[BO]] == [600, 2000]
    assert [phrase.user_id for moment in later for phrase in moment.phrases] == [ANN]


@pytest.mark.parametrize(
    ("timeline", "complaint"),
    [
        ((Says(0, 7, noise(20)),), "about nobody"),
        ((Says(30, ANN, noise(20)),), "multiple of 20"),
        ((Says(0, ANN, noise(100)), Says(80, ANN, noise(100))), "two things at once"),
    ],
)
def test_a_timeline_that_cannot_be_played_is_refused(timeline: tuple[Action, ...], complaint: str) -> None:
    """A wrong timeline is named when the meeting is made, not when it plays."""
    with pytest.raises(SimulatorError, match=complaint):
        meeting(*timeline)


@pytest.mark.parametrize("seconds", [0, 90_000])
def test_a_meeting_of_an_impossible_length_is_refused(seconds: float) -> None:
    """Nothing is played for no time, or for more than a day."""
    with pytest.raises(SimulatorError, match="between 1 second and a day"):
        default_meeting(seconds)


@pytest.mark.parametrize("send_rate", [20, 60, 100, 1000])
def test_packets_are_the_truth_cut_at_the_send_rate(send_rate: int) -> None:
    """Joined, the packets are the track; each is send_rate long but the last of a spurt."""
    truth, moments = played(meeting(Says(100, ANN, noise(1340)), Says(300, BO, noise(500, 2))))
    cutter = PacketCutter(AudioParams(data_opt=2, send_rate=send_rate))
    packets = [packet for moment in moments for packet in cutter.cut(moment)] + cutter.rest()
    for user_id in (ANN, BO):
        cut = [(p.timestamp_ms, p.data) for p in packets if p.person.user_id == user_id]
        assert cut == truth.packets(user_id, send_rate)
        assert {len(data) // 32 for _, data in cut[:-1]} <= {send_rate}
    assert sum(len(p.data) for p in packets) == (1340 + 500) * 32


def test_a_replay_cuts_the_same_packets_again() -> None:
    """Begun in the middle of a spurt, the packets are those of the first time, from the next whole one on."""
    _, moments = played(meeting(Says(100, ANN, noise(1000))))
    params = AudioParams(data_opt=2, send_rate=100)
    whole, again = PacketCutter(params), PacketCutter(params)
    first = [packet for moment in moments for packet in whole.cut(moment)]
    replay = [packet for moment in moments if moment.at_ms >= ZERO + 350 for packet in again.cut(moment)]
    assert replay == first[3:]


def test_mixed_audio_is_everybody_in_one_track_of_user_0() -> None:
    """Mixed packets carry the saturated sum under user id 0 with an empty name."""
    a, b = noise(200), noise(100, 2)
    _, moments = played(meeting(Says(100, ANN, a), Says(200, BO, b)))
    cutter = PacketCutter(AudioParams(data_opt=1, send_rate=100))
    packets = [packet for moment in moments for packet in cutter.cut(moment)]
    assert [(p.person.user_id, p.person.name, p.timestamp_ms - ZERO) for p in packets] == [
        (0, "", 100),
        (0, "", 200),
    ]
    one, two = np.frombuffer(a.pcm, "<i2")[1600:].astype(int), np.frombuffer(b.pcm, "<i2").astype(int)
    assert np.array_equal(np.frombuffer(packets[1].data, "<i2"), one + two)
    loud = np.full(4, 30_000, "<i2").tobytes()
    assert np.frombuffer(mix([loud, loud]), "<i2").tolist() == [32767] * 4


@pytest.mark.parametrize(("rate", "channel", "size"), [(0, 1, 320), (1, 2, 1280), (2, 1, 1280), (3, 2, 3840)])
def test_other_rates_and_channels_have_their_sizes(rate: int, channel: int, size: int) -> None:
    """20 ms at each rate and channel count has the size that protocol.md §5.6.1 lists."""
    _, moments = played(meeting(Says(0, ANN, noise(20))))
    cutter = PacketCutter(AudioParams(sample_rate=rate, channel=channel, data_opt=2))
    (packet,) = [packet for moment in moments for packet in cutter.cut(moment)]
    assert len(packet.data) == size
