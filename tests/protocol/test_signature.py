"""The two HMACs, pinned by vectors that Zoom's own client reproduces (protocol.md §2.2, §2.3, §5.2.1)."""

import pytest

from rtmsd.protocol.signature import handshake_signature, validation_token, webhook_signature

STREAM = "609340fb2a7946909659956c8aa9250c"

BODY = (
    b'{"event":"meeting.rtms_started","event_ts":1738392033699,"payload":{"account_id":"AAAAAABBBB",'
    b'"operator_id":"30R7kT7bTIKSNUFEuH_Qlg","meeting_id":"85746065432","meeting_uuid":"4444AAAiAAAAAiAiAiiAii==",'
    b'"rtms_stream_id":"609340fb2a7946909659956c8aa9250c","is_original_host":true,'
    b'"server_urls":"wss://127.0.0.1:9443/signaling"}}'
)


@pytest.mark.parametrize(
    ("client_id", "secret", "uuid", "signature"),
    [
        (
            "cid",
            "sec",
            "4444AAAiAAAAAiAiAiiAii==",
            "30cfef2d323150043275620ccd3573be5b1ce4cea3f183671f57ef5c89712c1a",
        ),
        (
            "demo_client_id",
            "demo_client_secret",
            "4444AAAiAAAAAiAiAiiAii==",
            "d795f32e24bfdb9a6849f6e146dc148369cb91899a887a16e83360b217649020",
        ),
        (
            "demo_client_id",
            "demo_client_secret",
            "/abc+DEF//==",
            "9f9610e7b8f0cb89d536591f6bd2601eacccdec029bcbbf042f3bf0188ea0adf",
        ),
    ],
)
def test_handshake_vectors(client_id: str, secret: str, uuid: str, signature: str) -> None:
    """A handshake is signed as Zoom's own client signs it."""
    assert (
        handshake_signature(client_id=client_id, client_secret=secret, uuid=uuid, stream_id=STREAM)
        == signature
    )


def test_webhook_vector() -> None:
    """A webhook's signature is over its raw 326 bytes."""
    assert len(BODY) == 326
    assert (
        webhook_signature(secret="whsec_demo", timestamp="1738392034", body=BODY)
        == "v0=214f781b00b29cf3537f3a8ef2d206ffaa5c5e7683fd7bff7eb9dc2a5af7e7f9"
    )


def test_validation_vector() -> None:
    """A URL validation is answered with Zoom's documented value."""
    assert (
        validation_token(secret="whsec_demo", plain_token="qgg8vlvZRS6UYooatFL8Aw")
        == "fbc12ad271df1bebdea231fdec1c736fc39ec811f758facafe3d40336d589e45"
    )
