"""What the configuration of the S3 sink may say."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from rtmsd.api import MediaKind, Secret
from rtmsd.plugins import load_plugins
from rtmsd_file import FileOptions
from rtmsd_s3 import S3Options, rtmsd_sink_types
from rtmsd_s3.place import Place

GOOD = {"directory": "/var/spool", "url": "s3://meetings/of/all"}


@pytest.mark.parametrize(
    ("url", "parts", "written"),
    [
        ("s3://b", ("s3", "b", ""), "s3://b/k"),
        ("s3://b/", ("s3", "b", ""), "s3://b/k"),
        ("gs://b/x/y", ("gs", "b", "x/y"), "gs://b/x/y/k"),
        ("az://b/x/", ("az", "b", "x"), "az://b/x/k"),
        ("file:///srv/x", ("file", "", "srv/x"), "file:///srv/x/k"),
    ],
)
def test_places(url: str, parts: tuple[str, str, str], written: str) -> None:
    """A URL is a scheme, a bucket and the beginning of names."""
    place = Place.parse(url)
    assert (place.scheme, place.bucket, place.prefix) == parts
    assert place.url("k") == written


@pytest.mark.parametrize(
    "url",
    [
        "",
        "meetings",
        "https://meetings",
        "s3:/meetings",
        "s3://",
        "s3:///x",
        "file://host/x",
        "s3://key:secret@b/x",
        "s3://b:9000/x",
        "s3://b/../x",
        "s3://b//x",
        "s3://b/./x",
        "s3://b/{date}",
        "s3://b/x?region=y",
        "s3://b/x#y",
        "s3://b/\n",
    ],
)
def test_bad_places(url: str) -> None:
    """Whatever is not that is refused, and says "url"."""
    with pytest.raises(ValueError, match=r"^url "):
        Place.parse(url)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"layout": "{meeting}"}, "stream"),
        ({"directory": "spool"}, "absolute"),
        ({"access_key_id": "A"}, "go together"),
        ({"secret_access_key": Secret("A")}, "go together"),
        ({"session_token": Secret("A")}, "missing"),
        ({"kms_key_id": "k"}, "encryption"),
        ({"kms_key_id": "k", "encryption": "AES256"}, "encryption"),
        ({"endpoint": "minio:9000"}, "https://host:port"),
        ({"endpoint": "http://minio:9000"}, "https:// unless it is on this machine"),
        ({"endpoint": "https://a:b@minio"}, "https://host:port"),
        ({"endpoint": "https://minio:port"}, "https://host:port"),
        ({"url": "gs://b", "encryption": "AES256"}, "no use with gs://"),
        ({"url": "gs://b", "tags": {"a": "b"}}, "no use with gs://"),
        ({"url": "file:///srv/b", "endpoint": "https://h"}, "no use with file://"),
        ({"account_name": "x"}, "only with az"),
        ({"tags": {str(number): "" for number in range(11)}}, "10 at most"),
        ({"tags": {"": ""}}, "1 to 128"),
        ({"tags": {"a": "b" * 257}}, "256"),
    ],
)
def test_bad_options(more: dict[str, object], sentence: str) -> None:
    """What cannot work is refused before the start, with the option's name."""
    with pytest.raises(ValueError, match=sentence):
        S3Options(**GOOD | more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"endpoint": "https://minio.lan:9000", "ca_file": Path("/etc/ca.pem"), "virtual_hosts": True},
        {"endpoint": "http://127.0.0.1:9000"},
        {"endpoint": "http://[::1]:9000"},
        {"endpoint": "http://localhost:9000"},
        {"encryption": "aws:kms", "kms_key_id": "arn:aws:kms:x"},
        {"url": "az://c/x", "account_name": "a", "account_key": Secret("k"), "tags": {"a": "b"}},
        {"url": "gs://c/x", "storage_class": "NEARLINE"},
    ],
)
def test_good_options(more: dict[str, object]) -> None:
    """What can work is taken, and what is secret does not show."""
    assert "Secret" not in repr(S3Options(**GOOD | more))  # type: ignore[arg-type]


def test_without_obstore(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sink type is there all the same; whoever configures it is told what to install."""
    monkeypatch.setattr("rtmsd_s3.options.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r'pip install "rtmsd\[s3\]"'):
        S3Options(**GOOD)  # type: ignore[arg-type]


def test_the_plugin_loads_without_obstore() -> None:
    """Finding the plugin imports nothing that not everybody has installed."""
    program = "import sys; sys.modules['obstore'] = None; import rtmsd_s3; print(rtmsd_s3.rtmsd_sink_types()[0].name)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "s3\n"
    assert importlib.util.find_spec("obstore") is not None


def test_the_type() -> None:
    """It wants what the file sink wants, and has its options."""
    [kind] = rtmsd_sink_types()
    assert (kind.name, kind.options) == ("s3", S3Options)
    assert issubclass(S3Options, FileOptions)
    chosen = msgspec.convert(GOOD | {"media": ["share"]}, S3Options)
    assert kind.wants(chosen) == {MediaKind.SHARE}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(GOOD | {"spool_limit_bytes": 5}, S3Options)
    plugins = load_plugins()
    assert "s3" in plugins.sink_types, "reinstall rtmsd: its entry points have changed"
    assert not plugins.broken
