"""What a bucket refused, as a sentence: the cause, whether it may pass, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import BaseError

from rtmsd.api import SinkError

# S3's words for it (the <Code> of an error), and what helps.
_REMEDIES = {
    "AccessDenied": "these credentials lack a right: docs/s3.md lists those that rtmsd needs",
    "AllAccessDisabled": "the account or the bucket is disabled: ask its owner",
    "AuthorizationHeaderMalformed": "the bucket is in another region: set `region`",
    "ExpiredToken": "the session token has expired: give another, or let rtmsd use a role",
    "IllegalLocationConstraintException": "the bucket is in another region: set `region`",
    "InvalidAccessKeyId": "nobody there knows the access key: correct it, or the endpoint",
    "InvalidBucketName": "correct the bucket's name in `url`",
    "InvalidStorageClass": "correct `storage_class`",
    "KMS.NotFoundException": "correct `kms_key_id`",
    "NoSuchBucket": "there is no such bucket: create it, or correct `url`",
    "PermanentRedirect": "the bucket is in another region: set `region`",
    "RequestTimeTooSkewed": "the clock of this machine is wrong: correct it",
    "SignatureDoesNotMatch": "the secret key does not belong to the access key: copy it again",
}
# Some stores answer without S3's words.
_BY_STATUS = {
    301: "the bucket is in another region: set `region`",
    401: "the credentials are not accepted: correct them",
    403: _REMEDIES["AccessDenied"],
    404: "there is no such bucket or object: create the bucket, or correct `url` and `endpoint`",
}
_CODE = re.compile(r"<Code>([A-Za-z.]{1,60})</Code>")
_STATUS = re.compile(r"status code: (\d{3})|status: (\d{3})")
# Where clouds give credentials to their machines; asked when there are no others.
_INSTANCE = ("169.254.169.254", "169.254.170.2", "metadata.google.internal", "/latest/api/token")


class BucketError(SinkError):
    """The bucket refused. `passing`: the same may succeed later without anybody's help."""

    def __init__(self, sentence: str, *, passing: bool) -> None:
        super().__init__(sentence)
        self.passing = passing


@contextmanager
def told(doing: str, *, may_be_missing: bool = False) -> Iterator[None]:
    """Turn whatever obstore raises into a BucketError; a missing object can be left to the caller, as FileNotFoundError."""
    try:
        yield
    except (BaseError, ValueError, OSError) as error:
        missing = isinstance(error, FileNotFoundError) and "NoSuchBucket" not in str(error)
        if missing and may_be_missing:
            raise
        # Without the cause: its text holds whole answers of the store.
        sentence, passing = explain(doing, str(error))
        raise BucketError(sentence, passing=passing) from None


def explain(doing: str, text: str) -> tuple[str, bool]:
    """Say in a sentence what an error of obstore means, and whether it may pass; nothing of its own text is in it."""
    code = found[1] if (found := _CODE.search(text)) else None
    status = int(found[1] or found[2]) if (found := _STATUS.search(text)) else None
    if any(address in text for address in _INSTANCE):
        return (
            f"the bucket should {doing}, and there are no credentials: give access_key_id and secret_access_key, or set "
            "the environment variables that docs/s3.md lists, or give this machine a role",
            False,
        )
    if status is None:
        if any(
            word in text for word in ("Connect", "error sending request", "dns error", "Timeout", "timed out")
        ):
            return (
                f"the bucket should {doing}, and cannot be reached: look at the network and at `endpoint`",
                True,
            )
        return (
            f"the bucket should {doing}, and that failed within the client: {text.splitlines()[0][:200]}",
            True,
        )
    answer = f"{status} {code}" if code else str(status)
    if status >= 500 or status == 429 or code in ("SlowDown", "RequestTimeout"):
        return f"the bucket should {doing}, and its server answered {answer}: it is busy or broken", True
    remedy = _REMEDIES.get(code or "") or _BY_STATUS.get(status) or "look up this answer at your store's"
    return f"the bucket should {doing}, and its server answered {answer}: {remedy}", False
