"""The options of the S3 sink, and what goes together."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from rtmsd.api import Secret
from rtmsd_file import FileOptions
from rtmsd_s3.place import Place

# What each option needs of the URL's scheme; those that are not here go with all.
_SCHEMES = {
    "endpoint": ("s3", "gs", "az"),
    "region": ("s3",),
    "access_key_id": ("s3",),
    "secret_access_key": ("s3",),
    "session_token": ("s3",),
    "virtual_hosts": ("s3",),
    "account_name": ("az",),
    "account_key": ("az",),
    "encryption": ("s3",),
    "kms_key_id": ("s3",),
    "storage_class": ("s3", "gs", "az"),
    "tags": ("s3", "az"),
    "ca_file": ("s3", "gs", "az"),
}
# S3's own limits of tags.
_MOST_TAGS, _LONGEST_KEY, _LONGEST_VALUE = 10, 128, 256


@dataclass(frozen=True, kw_only=True)
class S3Options(FileOptions):
    """The keys of `[[sinks]]` with `type = "s3"`, besides those of the file sink; docs/s3.md explains each.

    `directory` is the spool. `url` says where the recordings go, `layout` how they are called below it.
    """

    url: str
    endpoint: str | None = None
    region: str | None = None
    access_key_id: str | None = None
    secret_access_key: Secret | None = None
    session_token: Secret | None = None
    virtual_hosts: bool = False
    account_name: str | None = None
    account_key: Secret | None = None
    ca_file: Path | None = None
    encryption: Literal["AES256", "aws:kms", "aws:kms:dsse"] | None = None
    kms_key_id: str | None = None
    storage_class: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    checksums: bool = True
    spool_limit_bytes: Annotated[int, Meta(ge=100 * 2**20)] = 50 * 2**30

    def __post_init__(self) -> None:
        super().__post_init__()
        place = Place.parse(self.url)
        for name, schemes in _SCHEMES.items():
            if getattr(self, name) and place.scheme not in schemes:
                raise ValueError(
                    f"{name} is of no use with {place.scheme}://, only with {', '.join(schemes)}"
                )
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key go together: give both, or neither")
        if self.session_token is not None and self.access_key_id is None:
            raise ValueError("session_token goes with access_key_id and secret_access_key, which are missing")
        if self.kms_key_id is not None and not (self.encryption or "").startswith("aws:kms"):
            raise ValueError('kms_key_id needs encryption = "aws:kms" or "aws:kms:dsse"')
        if self.endpoint is not None:
            _check_endpoint(self.endpoint)
        _check_tags(self.tags)
        if find_spec("obstore") is None:
            raise ValueError(
                'type = "s3" needs the package obstore, which is not installed: pip install "rtmsd[s3]"'
            )

    @property
    def place(self) -> Place:
        return Place.parse(self.url)


def _check_endpoint(endpoint: str) -> None:
    """Refuse what is no address of a server, and a plain one outside this machine: recordings would pass in clear."""
    try:
        parts = urlsplit(endpoint)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if (
        host is None
        or parts.scheme not in ("http", "https")
        or parts.username
        or parts.query
        or parts.fragment
    ):
        raise ValueError(f'endpoint must look like https://host:port, and is "{endpoint[:200]}"')
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError(
            f'endpoint must be https:// unless it is on this machine, and is "{endpoint[:200]}". A private '
            "certificate authority is named by ca_file"
        )


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine by its very name."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_tags(tags: dict[str, str]) -> None:
    if len(tags) > _MOST_TAGS:
        raise ValueError(f"tags may be {_MOST_TAGS} at most, and are {len(tags)}")
    for key, value in tags.items():
        if not key or len(key) > _LONGEST_KEY or len(value) > _LONGEST_VALUE:
            raise ValueError(
                f"tags have names of 1 to {_LONGEST_KEY} characters and values of at most {_LONGEST_VALUE}; "
                f'"{key[:_LONGEST_KEY]}" is not so'
            )
