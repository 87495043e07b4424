"""`webhook.public_url`: what Zoom calls, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

import rtmsd_file
from rtmsd.config import Config, load_config
from rtmsd.errors import ConfigError


def load(tmp_path: Path, public_url: str) -> Config:
    path = tmp_path / "rtmsd.toml"
    path.write_text(f"""
state_dir = "/var/lib/rtmsd"
[webhook]
listen = "127.0.0.1:8080"
public_url = "{public_url}"
[[apps]]
name = "notes"
client_id = "abc"
client_secret = {{ env = "CS" }}
webhook_secrets = [{{ env = "WS" }}]
[[sinks]]
name = "disk"
type = "file"
directory = "/var/lib/rtmsd/recordings"
""")
    types = {one.name: one for one in rtmsd_file.rtmsd_sink_types()}
    return load_config(path, sink_types=types, environ={"CS": "client-secret", "WS": "webhook-secret"})


@pytest.mark.parametrize(
    "url",
    ["https://your.name/webhook", "https://your.name:8443/zoom/webhook", "http://127.0.0.1:8080/webhook"],
)
def test_addresses(url: str, tmp_path: Path) -> None:
    """HTTPS, and plain HTTP to this machine."""
    assert load(tmp_path, url).webhook.public_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://your.name/webhook",
        "https://your.name/webhook/",
        "https://your.name/webhook?x=1",
        "https://your.name/webhook#x",
        "https://user:secret@your.name/webhook",
        "your.name/webhook",
        "https://",
        "",
    ],
)
def test_what_is_none(url: str, tmp_path: Path) -> None:
    """Plain HTTP, a slash at the end, a query or a password are refused, with an example; the text is not repeated."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, url)
    [problem] = caught.value.problems
    assert problem.startswith("webhook.public_url: expected the https:// URL") and "secret@" not in problem
