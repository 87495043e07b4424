"""Video and the shared screen: which parameters may be had, who is to be seen, and the pictures themselves."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtmsd.errors import SimulatorError
from rtmsd.protocol.codes import MediaDataType, MediaPayloadType, StatusCode
from rtmsd.simulator import Person, Shares, TurnsCamera
from rtmsd.simulator.media_params import Refused, media_params
from rtmsd.simulator.moment import View
from rtmsd.simulator.picture_feed import PictureFeed
from rtmsd.simulator.picture_params import PictureParams
from rtmsd.simulator.pictures import CAMERAS, SCREEN, camera, pictures
from rtmsd.simulator.refusal import Strictness
from rtmsd.simulator.scenery import Scenery

JPG, PNG, H264 = (int(MediaPayloadType[name]) for name in ("JPG", "PNG", "H264"))
ANN, BO = Person(16778240, "A"), Person(16779264, "B")
BOTH = MediaDataType.VIDEO | MediaDataType.DESKSHARE


def confirmed(asked: dict[str, object], strictness: Strictness = "zoom") -> dict[str, dict[str, int]]:
    return media_params(asked, BOTH, strictness).confirmed()


def test_what_is_not_asked_for_gets_the_documented_defaults() -> None:
    """Video and share have the defaults of §5.5; the share has no data_opt."""
    assert confirmed({"video": None}) == {
        "video": {"content_type": 3, "codec": JPG, "resolution": 2, "fps": 5, "data_opt": 3},
        "deskshare": {"content_type": 3, "codec": JPG, "resolution": 3, "fps": 1},
    }


def test_what_the_official_client_asks_for_is_confirmed() -> None:
    """H.264, HD and 30 pictures a second: the SDK's default for both (official client, observed)."""
    video = {"codec": H264, "content_type": 3, "data_opt": 3, "fps": 30, "resolution": 2}
    share = {key: value for key, value in video.items() if key != "data_opt"}
    assert confirmed({"video": video, "deskshare": share}) == {"video": video, "deskshare": share}


@pytest.mark.parametrize(
    ("medium", "asked", "strictness", "outcome"),
    [
        ("video", [], "zoom", 25),
        ("video", {"content_type": 2}, "zoom", 26),
        ("video", {"codec": 1}, "zoom", 27),
        ("video", {"resolution": 0}, "zoom", 28),
        ("video", {"data_opt": 5}, "zoom", 29),
        ("video", {"fps": 31}, "zoom", 30),
        ("video", {"codec": JPG, "fps": 6}, "zoom", 30),
        ("video", {"codec": PNG, "fps": 25}, "zoom", 30),
        ("video", {"codec": H264, "fps": 5}, "zoom", 30),
        ("video", {"fps": 25}, "zoom", {"codec": JPG, "fps": 5}),
        ("deskshare", "no object", "zoom", 31),
        ("deskshare", {"content_type": 5}, "zoom", 32),
        ("deskshare", {"codec": 4}, "zoom", 33),
        ("deskshare", {"resolution": 5}, "zoom", 34),
        ("deskshare", {"codec": H264, "fps": 1}, "zoom", 35),
        ("deskshare", {"codec": JPG, "fps": 5}, "zoom", {"codec": JPG, "fps": 5}),
        ("deskshare", {"codec": JPG, "fps": 5}, "strict", 35),
        ("deskshare", {"codec": JPG, "fps": 6}, "zoom", 35),
        ("deskshare", {"codec": H264, "fps": 2}, "strict", {"codec": H264, "fps": 2}),
    ],
)
def test_pictures_are_judged_parameter_by_parameter(
    medium: str, asked: object, strictness: Strictness, outcome: int | dict[str, int]
) -> None:
    """Each has its own status; many pictures without a codec fall back to JPG; C23 by strictness."""
    if isinstance(outcome, dict):
        assert outcome.items() <= confirmed({medium: asked}, strictness)[medium].items()
        return
    with pytest.raises(Refused) as refused:
        confirmed({medium: asked}, strictness)
    assert refused.value.status is StatusCode(outcome)


@pytest.mark.parametrize(("codec", "fps"), [(H264, 30), (H264, 25), (JPG, 5), (PNG, 1)])
def test_a_feed_has_so_many_pictures_a_second(codec: int, fps: int) -> None:
    """In ten seconds ten times `fps` pictures come, evenly, in order, beginning with the first."""
    feed = PictureFeed(PictureParams(codec, 2, fps, 3), of_screen=False)
    view = View((ANN,), ANN)
    sent = [one for at_ms in range(1_000, 11_000, 20) for one in feed.next(view, at_ms, None)]
    assert len(sent) == 10 * fps
    assert [one.timestamp_ms for one in sent] == [1_000 + number * 1000 // fps for number in range(10 * fps)]
    shown = pictures(camera(0), codec)
    assert [one.picture for one in sent] == [shown[number % len(shown)] for number in range(10 * fps)]


def test_whoever_comes_into_view_begins_with_a_key_frame() -> None:
    """A change of who is seen starts the other's pictures from the first; nobody to be seen means no pictures."""
    feed = PictureFeed(PictureParams(H264, 2, 30, 3), of_screen=False)
    for at_ms in range(0, 400, 20):
        feed.next(View((ANN,), ANN), at_ms, None)
    assert feed.next(View((), None), 400, None) == []
    (first,) = feed.next(View((ANN, BO), BO), 420, None)
    assert (first.person, first.timestamp_ms, first.picture) == (BO, 420, pictures(camera(1), H264)[0])


def test_individual_video_shows_who_was_subscribed_to() -> None:
    """With data_opt 4 the active speaker does not matter, and without a subscription nothing comes."""
    feed = PictureFeed(PictureParams(JPG, 2, 5, 4), of_screen=False)
    view = View((ANN, BO), ANN)
    assert feed.next(view, 0, None) == []
    assert [one.person for one in feed.next(view, 20, BO.user_id)] == [BO]
    assert feed.next(View((ANN,), ANN), 40, BO.user_id) == [], "the camera went off"


def test_the_scenery_follows_who_speaks_and_who_leaves() -> None:
    """The active video is the last speaker's who has a camera; who leaves takes camera and share along."""
    scenery = Scenery()
    told = scenery.camera(ANN, TurnsCamera(0, ANN.user_id, on=True))
    told += scenery.camera(BO, TurnsCamera(0, BO.user_id, on=True))
    assert scenery.view == View((ANN, BO), ANN, None)
    scenery.spoke(BO)
    assert scenery.view.active == BO
    told += scenery.share(ANN, Shares(0, ANN.user_id, on=True))
    told += scenery.share(BO, Shares(0, BO.user_id, on=True))
    assert scenery.view.sharer == BO, "there is one shared screen"
    told += scenery.left(BO)
    assert scenery.view == View((ANN,), ANN, None)
    assert [(one.kind, one.person.name) for one in told] == [
        (8, "A"), (8, "B"), (5, "A"), (6, "A"), (5, "B"), (9, "B"), (6, "B")
    ]  # fmt: skip
    with pytest.raises(SimulatorError, match="camera is on already"):
        scenery.camera(ANN, TurnsCamera(0, ANN.user_id, on=True))
    with pytest.raises(SimulatorError, match="does not share"):
        scenery.share(ANN, Shares(0, ANN.user_id, on=False))


@pytest.mark.parametrize("codec", [JPG, PNG, H264])
def test_everybody_looks_different(codec: int) -> None:
    """No picture of one camera or of the screen is one of another's, and each carries its own hash."""
    names = [*map(camera, range(CAMERAS)), SCREEN]
    seen = [one.sha256 for name in names for one in set(pictures(name, codec))]
    assert len(set(seen)) == len(seen)
    one = pictures(SCREEN, codec)[0]
    assert one.sha256 == hashlib.sha256(one.data).hexdigest()


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize(
    ("codec", "form", "name"), [(JPG, "mjpeg", "mjpeg"), (PNG, "png_pipe", "png"), (H264, "h264", "h264")]
)
@pytest.mark.parametrize(("asset", "size"), [(camera(3), (640, 360)), (SCREEN, (960, 540))])
def test_ffprobe_reads_every_picture(
    codec: int, form: str, name: str, asset: str, size: tuple[int, int]
) -> None:
    """As many pictures as were cut, of the size that is promised, in the codec that is named."""
    shown = pictures(asset, codec)
    command = ["ffprobe", "-v", "error", "-f", form, "-count_frames", "-of", "json"]
    entries = ["-show_entries", "stream=codec_name,width,height,nb_read_frames", "-"]
    data = b"".join(one.data for one in shown)
    done = subprocess.run([*command, *entries], input=data, capture_output=True, check=True)
    (stream,) = json.loads(done.stdout)["streams"]
    assert (stream["codec_name"], stream["width"], stream["height"]) == (name, *size)
    assert int(stream["nb_read_frames"]) == len(shown)


@given(
    codec_fps=st.sampled_from([(H264, 30), (H264, 6), (JPG, 5), (PNG, 1)]),
    stretches=st.lists(st.tuples(st.sampled_from([None, ANN, BO]), st.integers(1, 120)), max_size=12),
)
def test_a_feed_follows_whoever_is_seen(
    codec_fps: tuple[int, int], stretches: list[tuple[Person | None, int]]
) -> None:
    """Whoever comes and goes: each stretch has its person's pictures in order from the first, evenly, and no others."""
    codec, fps = codec_fps
    feed = PictureFeed(PictureParams(codec, 2, fps, 3), of_screen=False)
    at_ms = 0
    joined: list[tuple[Person | None, int]] = []
    for who, steps in stretches:  # the same person twice is one stretch
        if joined and joined[-1][0] == who:
            joined[-1] = (who, joined[-1][1] + steps)
        else:
            joined.append((who, steps))
    for who, steps in joined:
        view = View((who,), who) if who else View()
        sent = [one for step in range(steps) for one in feed.next(view, at_ms + step * 20, None)]
        times = [at_ms + number * 1000 // fps for number in range(steps * 20 * fps // 1000 + 1)]
        times = [time_ms for time_ms in times if time_ms < at_ms + steps * 20] if who else []
        assert [one.timestamp_ms for one in sent] == times
        if who:
            shown = pictures(camera((who.user_id - ANN.user_id) // 1024), codec)
            assert [one.picture for one in sent] == [shown[n % len(shown)] for n in range(len(sent))]
        at_ms += steps * 20
