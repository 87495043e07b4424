"""Where secrets come from, and that they stay there."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import msgspec
import orjson
import pytest

from rtmsd.config.secrets import Secret, read_secret


def _file(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_a_secret_does_not_show_itself() -> None:
    """No usual way of printing or storing a secret shows it."""
    secret = Secret("hunter2")
    assert {str(secret), repr(secret), f"{secret}", f"{secret:>3}", "%s" % secret} == {"***"}  # noqa: UP031  # is meant
    for dump in (json.dumps, orjson.dumps, msgspec.json.encode, pickle.dumps, hash):
        with pytest.raises(TypeError):
            dump(secret)
    assert copy.deepcopy(secret) is secret
    assert secret == Secret("hunter2")
    assert secret != Secret("hunter3")
    assert secret != "hunter2"
    assert secret.reveal() == "hunter2"


def test_three_places(tmp_path: Path) -> None:
    """A secret is read from a credential, the environment or a file, without the newline around it."""
    _file(tmp_path / "one", b"\nvalue\r\n", 0o400)
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "ONE": "value\n"}
    for place in ({"credential": "one"}, {"env": "ONE"}, {"file": str(tmp_path / "one")}, {"file": "one"}):
        assert read_secret(place, environ=environ, base=tmp_path).reveal() == "value"


@pytest.mark.parametrize(
    ("content", "mode", "expected"),
    [
        (b"value", 0o644, "chmod o-rwx"),
        (b"", 0o600, "is empty"),
        (b"\n\n", 0o600, "is empty"),
        (b" value", 0o600, "white space"),
        (b"val ue", 0o600, "white space"),
        (b"value\t\n", 0o600, "white space"),
        (b"val\x00ue", 0o600, "control characters"),
        (b"\xff\xfe", 0o600, "UTF-8"),
        (b"x" * 5000, 0o600, "longer than"),
    ],
)
def test_unusable_files(tmp_path: Path, content: bytes, mode: int, expected: str) -> None:
    """A file that others can read, or whose content is no secret, is refused without showing it."""
    path = _file(tmp_path / "secret", content, mode)
    with pytest.raises(ValueError, match=expected) as caught:
        read_secret({"file": str(path)}, environ={}, base=tmp_path)
    assert "val" not in str(caught.value).replace(str(path), "")


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("hunter2", "plain text"),
        ({"env": "A", "file": "b"}, "exactly one"),
        ({}, "exactly one"),
        (7, "exactly one"),
        ({"vault": "x"}, "no place for a secret"),
        ({"env": ""}, "expected a name"),
        ({"env": "NOT_SET"}, "is not set"),
        ({"file": "nonexistent"}, "cannot be read"),
        ({"credential": "x"}, "CREDENTIALS_DIRECTORY"),
        ({"credential": "../x"}, 'without "/"'),
    ],
)
def test_unusable_places(tmp_path: Path, place: object, expected: str) -> None:
    """What is no place for a secret is refused, and plain text is not repeated."""
    with pytest.raises(ValueError, match=expected) as caught:
        read_secret(place, environ={}, base=tmp_path)
    assert "hunter2" not in str(caught.value)
