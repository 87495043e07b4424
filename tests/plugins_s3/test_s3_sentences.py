"""What a store answers becomes a sentence that says what to do."""

from __future__ import annotations

import pytest

from rtmsd_s3.faults import BucketError, explain, told

XML = (
    "Server returned non-2xx status code: {}: <Error><Code>{}</Code><Message>secret AKIDXYZ</Message></Error>"
)


@pytest.mark.parametrize(
    ("text", "passing", "words"),
    [
        (XML.format(403, "AccessDenied"), False, "docs/s3.md lists"),
        (XML.format(403, "SignatureDoesNotMatch"), False, "copy it again"),
        (XML.format(403, "InvalidAccessKeyId"), False, "nobody there knows"),
        (XML.format(403, "RequestTimeTooSkewed"), False, "clock"),
        (XML.format(404, "NoSuchBucket"), False, "create it"),
        (XML.format(301, "PermanentRedirect"), False, "region"),
        (XML.format(400, "AuthorizationHeaderMalformed"), False, "region"),
        (XML.format(400, "SomethingNew"), False, "400 SomethingNew: look up"),
        (XML.format(503, "SlowDown"), True, "503 SlowDown: it is busy"),
        (XML.format(500, "InternalError"), True, "500 InternalError"),
        (XML.format(400, "RequestTimeout"), True, "400 RequestTimeout"),
        ("status code: 429: ", True, "429"),
        ("status code: 403 Forbidden: ", False, "lack a right"),
        ("status code: 401: ", False, "credentials"),
        ("status code: 404: ", False, "endpoint"),
        ("HTTP error: error sending request", True, "cannot be reached"),
        ("Error performing PUT http://169.254.169.254/latest/api/token", False, "there are no credentials"),
        ("something else\nDebug source: secret AKIDXYZ", True, "within the client: something else"),
    ],
)
def test_answers(text: str, passing: bool, words: str) -> None:
    """Cause, remedy, and whether it may pass; nothing of the answer's own text, which may hold what is secret."""
    sentence, may_pass = explain("take s3://b/x", text)
    assert sentence.startswith("the bucket should take s3://b/x") and words in sentence
    assert may_pass is passing
    assert "AKIDXYZ" not in sentence


def test_what_is_missing() -> None:
    """A missing object is the caller's business when it says so; a missing bucket never is."""
    with pytest.raises(FileNotFoundError), told("x", may_be_missing=True):
        raise FileNotFoundError("Object at location x not found")
    for text, may_be_missing in (
        ("<Code>NoSuchBucket</Code> status code: 404", True),
        ("status code: 404", False),
    ):
        with pytest.raises(BucketError) as caught, told("x", may_be_missing=may_be_missing):
            raise FileNotFoundError(text)
        assert not caught.value.passing and caught.value.__cause__ is None
