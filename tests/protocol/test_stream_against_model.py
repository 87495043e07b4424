"""Our machine against a model of Zoom's server, in random stories of faults. A story is repeated by its seed."""

from __future__ import annotations

import pytest
from model_world import BEGUN, World
from server_model import Rules

from rtmsd.frames import MediaKind
from rtmsd.protocol.coverage import NOTICED_MS

SEEDS = 500

OUTCOMES = {"ended", "lost", "ended_unknown", "rejected", "refused", "unreachable", "no_media"}


def story(seed: int) -> World:
    """A meeting of up to three minutes with up to five faults, which ends in one of Zoom's ways."""
    world = World(seed)
    chance = world.chance
    world.server.rules = Rules(
        replays=chance.random() < 0.7, kicks=chance.random() < 0.5, says_status_2=chance.random() < 0.5
    )
    world.lost_webhooks = {name for name in ("interrupted", "stopped") if chance.random() < 0.3}
    world.begin()
    length = chance.uniform(20, 180)
    for _ in range(chance.randint(1, 5)):
        world.at(BEGUN + chance.uniform(0, length), lambda: fault(world))
    world.at(BEGUN + length, lambda: end(world))
    return world


def fault(world: World) -> None:
    chance, server = world.chance, world.server
    kind = chance.choice(("signaling", "audio", "transcript"))
    match chance.randint(0, 10):
        case 0 | 1:
            server.drop(kind, chance.choice((None, None, 1000, 1001, 1011)), world.now)
        case 2:
            kinds = chance.choice(((kind,), ("signaling", "audio", "transcript")))
            secs, hangs = chance.choice((1, 10, 29, 31, 45, 59, 61, 80)), chance.random() < 0.5
            for one in kinds:
                world.kill(one, secs, hangs=hangs)
        case 3:
            world.blackhole(kind)
        case 4:
            server.rules.refusals += chance.choices((8, 16, 45, 45, None, 3, 12), k=chance.randint(1, 4))
            server.drop(kind, None, world.now)
        case 5:
            world.answers_late = chance.choice((0.0, 3.0, 8.0, 12.0))
        case 6:
            world.client.do(world.client.machine.started_again([server.host], world.now))
        case 7:
            world.fail_over(chance.uniform(0.5, 20), new_id=False, broken=chance.random() < 0.5)
        case 8:
            world.fail_over(chance.uniform(0.5, 20), new_id=True, broken=chance.random() < 0.5)
        case 9:
            server.pause(not server.paused)
        case 10:
            world.client.do(world.client.machine.interrupted([], world.now))


def end(world: World) -> None:
    chance = world.chance
    world.server.end(
        6,
        world.now,
        in_band=chance.random() < 0.6,
        webhook=chance.random() < 0.7,
        close=chance.random() < 0.8,
    )


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_story_ends_with_a_reason_and_the_whole_truth(seed: int) -> None:
    """Never two connections of a kind (see Bench), always an outcome, and every packet delivered or ledgered."""
    world = story(seed)
    world.run(BEGUN + 1000)
    finished = world.client.finished
    assert finished is not None, "the machine waits for ever"
    assert finished.outcome in OUTCOMES
    assert finished.outcome != "ended" or world.server.over_at is not None, "it is not over for Zoom"
    world.check()


# Where a kind of socket is killed and kept dead for so long, and what is to come of it. `gap`: whether audio that Zoom
# keeps for us (the last 60 s) makes the hole good. Zoom ends a stream without signaling after 60 s, and one whose
# medium does not come back after 65.
KILLED = [
    *((kind, secs, None, False) for kind in ("signaling", "audio", "transcript") for secs in (1, 29, 31, 59)),
    ("signaling", 61, 19, True),
    ("audio", 61, None, True),
    ("transcript", 61, None, False),
    ("signaling", 70, 19, True),
    ("audio", 70, 14, True),
    ("transcript", 70, 14, False),
]


@pytest.mark.parametrize("hangs", [False, True], ids=["refused", "hanging"])
@pytest.mark.parametrize(("kind", "secs", "reason", "gap"), KILLED)
def test_a_dead_socket_comes_back_within_its_window(
    kind: str, secs: float, reason: int | None, gap: bool, hangs: bool
) -> None:
    """Within Zoom's window all goes on, and of the audio nothing is missing; after it Zoom's reason ends the stream."""
    world = World(seed=1)
    world.lost_webhooks = {"interrupted"}
    world.begin()
    world.at(BEGUN + 30, lambda: world.kill(kind, secs, hangs=hangs))
    world.at(BEGUN + 200, lambda: world.server.end(6, world.now))
    world.run(BEGUN + 400)
    finished = world.client.finished
    assert finished is not None and (finished.outcome, finished.reason) == ("ended", reason or 6)
    audio_gaps = [one for one in world.client.gaps() if one.media is MediaKind.AUDIO]
    # What came in the second before the break, if anything, may be out of reach after a minute: that is told.
    assert any(one.to_ms - one.from_ms > NOTICED_MS for one in audio_gaps) is gap, audio_gaps
    world.check()


@pytest.mark.parametrize("kind", ["signaling", "audio", "transcript"])
@pytest.mark.parametrize("secs", [1, 10, 29])
def test_a_connection_that_dies_silently_is_found(kind: str, secs: float) -> None:
    """Keep-alives that are lost in either direction cost a connection, and a new one takes its place."""
    world = World(seed=2)
    world.begin()
    world.at(BEGUN + secs, lambda: world.blackhole(kind))
    world.at(BEGUN + 300, lambda: world.server.end(6, world.now))
    world.run(BEGUN + 290)
    assert world.client.machine.connected
    world.run(BEGUN + 400)
    assert world.client.finished is not None and world.client.finished.reason == 6
    world.check()
