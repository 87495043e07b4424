"""Secrets: where they may stand."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

from rtmsd.api.secrets import Secret

__all__ = ["Secret", "read_secret"]

_HOW = 'write { credential = "name" }, { env = "NAME" } or { file = "/path" }'
_MAX_BYTES = 4096


def read_secret(value: object, *, environ: Mapping[str, str], base: Path) -> Secret:
    """Fetch what `{ credential | env | file = … }` points at; relative files are below `base`.

    Raise ValueError with a sentence that never holds the secret, nor plain text that could be one.
    """
    if isinstance(value, str):
        raise ValueError(f"expected where the secret stands, got plain text; {_HOW}, and replace this secret")
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError(f"expected exactly one place where the secret stands; {_HOW}")
    [(kind, name)] = value.items()
    if kind not in ("credential", "env", "file"):
        raise ValueError(f'"{kind}" is no place for a secret; {_HOW}')
    if not isinstance(name, str) or not name:
        raise ValueError(f"expected a name in quotes after {kind}; {_HOW}")
    if kind == "env":
        if name not in environ:
            raise ValueError(f"the environment variable {name} is not set")
        return Secret(_cleaned(environ[name], f"the environment variable {name}"))
    path = _credential(name, environ) if kind == "credential" else base / name
    return Secret(_cleaned(_read(path), f"the file {path}"))


def _credential(name: str, environ: Mapping[str, str]) -> Path:
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if "/" in name or name in (".", ".."):
        raise ValueError(f'expected the name of a systemd credential, without "/", got "{name}"')
    if not directory:
        raise ValueError(
            f"the credential {name} needs $CREDENTIALS_DIRECTORY, which systemd sets: add LoadCredential={name}:… "
            "to the unit, or use { file = … } when rtmsd is not started by systemd"
        )
    return Path(directory) / name


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = path.stat().st_mode
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ValueError(f"the file {path} cannot be read: {error.strerror}") from error
    if mode & stat.S_IRWXO:
        raise ValueError(
            f"the file {path} can be used by every user of this machine; run: chmod o-rwx {path}"
        )
    if len(data) > _MAX_BYTES:
        raise ValueError(f"the file {path} is longer than {_MAX_BYTES} bytes, which is no secret of Zoom's")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ValueError(f"the file {path} is not text in UTF-8") from None


def _cleaned(text: str, where: str) -> str:
    text = text.strip("\r\n")
    if not text:
        raise ValueError(f"{where} is empty")
    # Only a key in PEM has several lines, and blanks in its first and last.
    seen = "".join(text.split()) if text.startswith("-----BEGIN ") and text.endswith("-----") else text
    if any(character.isspace() or not character.isprintable() for character in seen):
        raise ValueError(
            f"{where} holds white space or control characters, which no secret of Zoom's has; copy it again"
        )
    return text
