import pytest

from rtmsd.protocol.codes import MediaDataType, StatusCode
from rtmsd.simulator.media_params import Refused, media_kinds, media_params

GRANTED = MediaDataType.AUDIO | MediaDataType.TRANSCRIPT


@pytest.mark.parametrize(
    "nothing", [None, {}, {"audio": None, "transcript": None}, {"audio": {}, "transcript": {}}]
)
def test_what_is_not_asked_for_gets_the_documented_defaults(nothing: object) -> None:
    """Missing and null parameters are confirmed with the defaults of protocol.md §5.5."""
    assert media_params(nothing, GRANTED).confirmed() == {
        "audio": {
            "content_type": 2,
            "sample_rate": 1,
            "channel": 1,
            "codec": 1,
            "data_opt": 1,
            "send_rate": 20,
        },
        "transcript": {"content_type": 5, "src_language": 9, "enable_lid": True},
    }


def test_only_the_socket_s_own_media_are_confirmed() -> None:
    """Parameters of kinds that the socket does not carry are harmless and not echoed."""
    asked = {"audio": {"send_rate": 100}, "video": {"codec": 99}}
    confirmed = media_params(asked, MediaDataType.AUDIO).confirmed()
    assert list(confirmed) == ["audio"] and confirmed["audio"]["send_rate"] == 100


def test_a_send_rate_above_a_second_is_clamped() -> None:
    """2000 ms becomes 1000 ms."""
    asked = {"audio": {"send_rate": 2000}}
    assert media_params(asked, MediaDataType.AUDIO).confirmed()["audio"]["send_rate"] == 1000


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ("no object", StatusCode.INVALID_MEDIA_PARAMS),
        ({"audio": 1}, StatusCode.INVALID_MEDIA_AUDIO_PARAMS),
        ({"audio": {"content_type": 1}}, StatusCode.INVALID_MEDIA_AUDIO_CONTENT_TYPE),
        ({"audio": {"codec": 5}}, StatusCode.INVALID_MEDIA_AUDIO_CODEC),
        ({"audio": {"sample_rate": 4}}, StatusCode.INVALID_MEDIA_AUDIO_SAMPLE_RATE),
        ({"audio": {"channel": "1"}}, StatusCode.INVALID_MEDIA_AUDIO_CHANNEL),
        ({"audio": {"data_opt": 3}}, StatusCode.INVALID_MEDIA_AUDIO_DATA_OPT),
        ({"audio": {"send_rate": 50}}, StatusCode.INVALID_MEDIA_AUDIO_SEND_RATE),
        ({"audio": {"send_rate": 0}}, StatusCode.INVALID_MEDIA_AUDIO_SEND_RATE),
        ({"transcript": []}, StatusCode.INVALID_MEDIA_TRANSCRIPT_PARAMS),
        ({"transcript": {"content_type": 2}}, StatusCode.INVALID_MEDIA_TRANSCRIPT_CONTENT_TYPE),
        ({"transcript": {"src_language": 99}}, StatusCode.INVALID_MEDIA_TRANSCRIPT_SOURCE_LANGUAGE),
    ],
)
def test_wrong_parameters_are_refused_with_their_own_status(params: object, status: StatusCode) -> None:
    """Each parameter that cannot be had has its number of protocol.md §6.4."""
    with pytest.raises(Refused) as refused:
        media_params(params, GRANTED)
    assert refused.value.status is status


@pytest.mark.parametrize(
    ("asked", "kinds"),
    [(1, MediaDataType.AUDIO), (8, MediaDataType.TRANSCRIPT), (9, GRANTED), (32, GRANTED)],
)
def test_media_types_may_be_one_a_sum_or_all(asked: int, kinds: MediaDataType) -> None:
    """32 means what is granted, a sum what it adds up to."""
    assert media_kinds(asked, GRANTED) == kinds


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (2, StatusCode.MEDIA_TYPE_VIDEO_NOT_SUPPORT),
        (5, StatusCode.MEDIA_TYPE_DESKSHARE_NOT_SUPPORT),
        (17, StatusCode.MEDIA_TYPE_CHAT_NOT_SUPPORT),
        (0, StatusCode.MEDIA_TYPE_INVALID_VALUE),
        (33, StatusCode.MEDIA_TYPE_INVALID_VALUE),
        ("audio", StatusCode.MEDIA_TYPE_INVALID_VALUE),
        (None, StatusCode.MEDIA_TYPE_INVALID_VALUE),
        (True, StatusCode.MEDIA_TYPE_INVALID_VALUE),
    ],
)
def test_media_that_are_not_granted_are_refused(asked: object, status: StatusCode) -> None:
    """A kind without scope has its own status; nonsense has 14."""
    with pytest.raises(Refused) as refused:
        media_kinds(asked, GRANTED)
    assert refused.value.status is status
