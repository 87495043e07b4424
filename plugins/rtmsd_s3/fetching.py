"""Read a recording back from its bucket."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rtmsd.api import SinkError
from rtmsd_s3.bucket import Bucket
from rtmsd_s3.options import S3Options

_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


@contextmanager
def open_recording(url: str, **options: Any) -> Iterator[Path]:
    """Download the recording at a URL, such as s3://bucket/prefix/date=…/meeting=…/stream=…, and give its directory.

    It is removed afterwards. `options` are those of the sink (`endpoint`, `region`, …); without them the environment is
    asked. Blocks. Raises SinkError with a sentence, ValueError when the URL is none, OSError when the disk refuses.
    """
    endpoint = next((os.environ[name] for name in _ENDPOINTS if name in os.environ), None)
    if urlsplit(url).scheme == "s3" and endpoint:
        options = {"endpoint": endpoint} | options
    with tempfile.TemporaryDirectory(prefix="rtmsd-") as directory:
        bucket = Bucket(S3Options(url=url, directory=directory, **options))
        if not bucket.download(Path(directory)):
            raise SinkError(f"there is nothing at {url}: expected the directory of a recording")
        yield Path(directory)
