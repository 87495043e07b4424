"""The same in Azure's own protocol, against Microsoft's emulator where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import s3_servers
from bucket_bench import KEY, in_bucket, meeting, on_disk, options, record, s3_sink, stream, until, uploaded

from rtmsd.api import Secret
from rtmsd_s3.fingerprint import PART_BYTES


@pytest.fixture
def azurite_port(tmp_path: Path) -> Iterator[int]:
    try:
        with s3_servers.azurite(tmp_path) as port:
            yield port
    except FileNotFoundError as error:
        pytest.skip(str(error))


async def test_a_container_of_azure(tmp_path: Path, azurite_port: int) -> None:
    """What the disk has is there, in blocks, with tags and a tier; its ETags prove nothing, so it is read back; it is
    deleted on request.
    """
    chosen = options(
        tmp_path,
        azurite_port,
        url=f"az://{s3_servers.BUCKET}/zoom",
        endpoint=f"http://127.0.0.1:{azurite_port}/{s3_servers.AZURE_ACCOUNT}",
        region=None,
        access_key_id=None,
        secret_access_key=None,
        account_name=s3_servers.AZURE_ACCOUNT,
        account_key=Secret(s3_servers.AZURE_KEY),
        tags={"team": "research"},
        storage_class="Cool",
    )
    info, batches = stream(), meeting(people=1, secs=300)
    expected = await on_disk(tmp_path, info, batches)
    assert len(expected["audio/user=1.wav"]) > PART_BYTES
    async with s3_sink(chosen, tmp_path) as sink:
        await sink.check()
        await record(sink, info, batches)
        await until(lambda: uploaded(chosen))
        assert await in_bucket(chosen) == {f"{KEY}/{name}": data for name, data in expected.items()}
        await sink.purge(info)
    assert (await in_bucket(chosen)).keys() == {f"{KEY}/tombstone.json"}
