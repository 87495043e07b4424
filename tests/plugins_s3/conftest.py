"""Two real S3 servers for all tests of this room, and a proxy before them that breaks things."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
import s3_servers
from faulty_proxy import FaultyProxy

import rtmsd_s3.bucket
import rtmsd_s3.uploader
from rtmsd_s3.fetching import open_recording  # noqa: F401  # fails here, once, when obstore is missing


@pytest.fixture(scope="session")
def moto_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with s3_servers.moto(tmp_path_factory.mktemp("moto")) as port:
        yield port


@pytest.fixture(scope="session")
def rclone_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with s3_servers.rclone(tmp_path_factory.mktemp("rclone")) as port:
        yield port


@pytest.fixture(params=["moto", "rclone"])
def server_port(request: pytest.FixtureRequest) -> int:
    """Both servers, one after the other."""
    port: int = request.getfixturevalue(f"{request.param}_port")
    return port


@pytest_asyncio.fixture
async def proxy(server_port: int) -> AsyncIterator[FaultyProxy]:
    async with FaultyProxy(server_port).running() as one:
        yield one


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let seconds of waiting be tenths, and keep this machine's own credentials out."""
    monkeypatch.setattr(rtmsd_s3.bucket, "RETRY_SECS", 0.5)
    monkeypatch.setattr(rtmsd_s3.bucket, "HASTY_SECS", 0.5)
    monkeypatch.setattr(rtmsd_s3.uploader, "PAUSES_SECS", (0.05, 0.2))
    monkeypatch.setattr(rtmsd_s3.uploader, "LOOK_SECS", 0.2)
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
