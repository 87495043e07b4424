"""One bucket: objects are put, compared, listed and deleted by their names below the place of the sink.

Everything raises BucketError with a sentence. Cancelling is safe: what was asked may have happened or not, and parts of
an upload that was broken off stay in the bucket, unseen, until a lifecycle rule takes them away.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import obstore
from obstore.store import AzureStore, GCSStore, LocalStore, ObjectStore, S3Store

from rtmsd_s3.faults import told
from rtmsd_s3.fingerprint import Fingerprint, part_bytes
from rtmsd_s3.options import S3Options

# How long one request is tried again at once, part by part; after that the uploader's longer pauses come.
RETRY_SECS = 30.0
HASTY_SECS = 3.0
# How long one request may take: a part of 8 MiB at 70 kB/s.
_REQUEST_SECS = 120.0
_CONNECT_SECS = 10.0
# How many parts of one file are under way at a time: what an upload costs in memory is this, in parts.
_PARTS_AT_ONCE = 2
_READ_BYTES = 2**20

_TYPES = {
    ".jsonl": "application/jsonl",
    ".vtt": "text/vtt",
    ".srt": "application/x-subrip",
    ".opus": "audio/ogg",
}


@dataclass(frozen=True)
class Stored:
    """An object as the store tells of it; `version` only when the store names one."""

    key: str
    size: int
    e_tag: str | None
    version: str | None = None


class Bucket:
    """The bucket of a sink. `hasty` asks once and briefly, for a look at the start."""

    def __init__(self, options: S3Options, *, hasty: bool = False) -> None:
        self._place = options.place
        with told("be opened"):
            self._store = _open(options, hasty=hasty)
        self._attributes = {"Storage-Class": options.storage_class} if options.storage_class else {}
        self._tags = options.tags or None

    def url(self, key: str = "") -> str:
        return self._place.url(key)

    async def put(self, key: str, source: Path | bytes, entry: Fingerprint) -> Stored:
        """Write an object, in parts when it is large; the store checks each part against the hash that is sent."""
        attributes: Any = None  # a directory keeps none
        if self._place.scheme != "file":
            attributes = {"Content-Type": _content_type(key), "sha256": entry.sha256, **self._attributes}
        with told(f"take {self.url(key)}"):
            answer = await obstore.put_async(
                self._store,
                key,
                source,
                attributes=attributes,
                tags=self._tags,
                chunk_size=part_bytes(entry.size),
                max_concurrency=_PARTS_AT_ONCE,
            )
        return Stored(key, entry.size, answer["e_tag"], answer["version"])

    async def proves(self, stored: Stored | None, entry: Fingerprint) -> bool:
        """Say whether an object has this very content: by its ETag if that is an MD5, else by reading it."""
        if stored is None or stored.size != entry.size:
            return False
        return entry.proven_by(stored.e_tag) or await self.sha256(stored.key) == entry.sha256

    async def stat(self, key: str) -> Stored | None:
        try:
            with told(f"tell of {self.url(key)}", may_be_missing=True):
                return _stored(await obstore.head_async(self._store, key))
        except FileNotFoundError:
            return None

    async def sha256(self, key: str) -> str | None:
        """Read an object and return the hash of what came; None when it is not there."""
        whole = hashlib.sha256()
        try:
            with told(f"give {self.url(key)}", may_be_missing=True):
                found = await obstore.get_async(self._store, key)
                async for data in found.stream(min_chunk_size=_READ_BYTES):
                    whole.update(data)
        except FileNotFoundError:
            return None
        return whole.hexdigest()

    async def read(self, key: str, *, limit_bytes: int) -> bytes | None:
        """Read a small object, no more of it than the limit; None when it is not there."""
        try:
            with told(f"give {self.url(key)}", may_be_missing=True):
                found = await obstore.get_async(self._store, key)
                return bytes(await found.bytes_async()) if found.meta["size"] <= limit_bytes else None
        except FileNotFoundError:
            return None

    async def list(self, key: str) -> list[Stored]:
        """List all objects below a name, as below a directory."""
        try:
            with told(f"list {self.url(key)}", may_be_missing=True):
                return [_stored(meta) for meta in await obstore.list(self._store, key).collect_async()]
        except FileNotFoundError:  # a directory that is not there
            return []

    def download(self, into: Path) -> int:
        """Write every object of the place into a directory; return how many. Blocks; raises BucketError, OSError."""
        with told(f"list {self.url()}"):
            keys = [meta["path"] for meta in obstore.list(self._store).collect()]
        for key in keys:
            path = into / key
            path.parent.mkdir(parents=True, exist_ok=True)
            with told(f"give {self.url(key)}"), path.open("wb") as file:
                for data in obstore.get(self._store, key).stream(min_chunk_size=_READ_BYTES):
                    file.write(data)
        return len(keys)

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; those that are not there are as good as deleted."""
        if not keys:
            return
        try:
            with told(f"delete objects below {self.url()}", may_be_missing=True):
                await obstore.delete_async(self._store, [*keys])
        except FileNotFoundError:
            if len(keys) > 1:
                for key in keys:
                    await self.delete([key])


def _stored(meta: Any) -> Stored:  # obstore's ObjectMeta cannot be imported
    version = meta["version"]
    # "null" is what a bucket without versions answers.
    return Stored(meta["path"], meta["size"], meta["e_tag"], None if version == "null" else version)


def _content_type(key: str) -> str:
    suffix = Path(key).suffix
    return _TYPES.get(suffix) or mimetypes.types_map.get(suffix) or "application/octet-stream"


def _open(options: S3Options, *, hasty: bool) -> ObjectStore:
    place = options.place
    if place.scheme == "file":
        return LocalStore(prefix=Path("/") / place.prefix, automatic_cleanup=True, mkdir=True)
    secs = HASTY_SECS if hasty else RETRY_SECS
    client: Any = {  # obstore's TypedDicts cannot be imported
        "timeout": timedelta(seconds=secs if hasty else _REQUEST_SECS),
        "connect_timeout": timedelta(seconds=min(secs, _CONNECT_SECS)),
        "allow_http": (options.endpoint or "").startswith("http://"),
    }
    if options.ca_file is not None:
        client["root_certificate"] = options.ca_file.read_bytes()
    retry: Any = {
        "max_retries": 2 if hasty else 10,
        "retry_timeout": timedelta(seconds=secs),
        "backoff": {"init_backoff": timedelta(seconds=0.2), "max_backoff": timedelta(seconds=5), "base": 2},
    }
    common: Any = {"prefix": place.prefix or None, "client_options": client, "retry_config": retry}
    if place.scheme == "gs":
        config = _given(base_url=options.endpoint)
        return GCSStore(place.bucket, config=config, **common)
    if place.scheme == "az":
        config = _given(
            account_name=options.account_name,
            account_key=_revealed(options.account_key),
            endpoint=options.endpoint,
        )
        return AzureStore(place.bucket, config=config, **common)
    return S3Store(place.bucket, config=_s3_config(options), **common)


def _s3_config(options: S3Options) -> Any:
    return _given(
        endpoint=options.endpoint,
        region=options.region,
        access_key_id=options.access_key_id,
        secret_access_key=_revealed(options.secret_access_key),
        session_token=_revealed(options.session_token),
        virtual_hosted_style_request=options.virtual_hosts or None,
        server_side_encryption=options.encryption,
        sse_kms_key_id=options.kms_key_id,
        # The store refuses a part that does not have the hash that came with it.
        checksum_algorithm="SHA256" if options.checksums else None,
    )


def _given(**values: Any) -> Any:
    return {name: value for name, value in values.items() if value is not None}


def _revealed(secret: Any) -> str | None:
    return None if secret is None else secret.reveal()
