"""docs/s3.md has every option with its default, and rules that a bucket takes; a configuration file may have them all."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
from bucket_bench import amazons_client

from rtmsd.config import load_config
from rtmsd.errors import ConfigError
from rtmsd.plugins import load_plugins
from rtmsd_file import FileOptions
from rtmsd_s3 import S3Options

DOCUMENT = (Path(__file__).parents[2] / "docs" / "s3.md").read_text()

CONFIG = """
state_dir = "/var/lib/rtmsd"
[webhook]
listen = "127.0.0.1:0"
[[apps]]
name = "notes"
client_id = "x"
client_secret = { env = "SECRET" }
webhook_secrets = [{ env = "HOOK" }]
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT, flags=re.DOTALL | re.MULTILINE)


def test_every_option_and_default() -> None:
    """The table has each option that the file sink has not, and its default where that is a plain value."""
    table = dict(re.findall(r"^\| `(\w+)` \|([^|]*)\|", DOCUMENT, flags=re.MULTILINE))
    inherited = {field.name for field in dataclasses.fields(FileOptions)}
    own = [field for field in dataclasses.fields(S3Options) if field.name not in inherited]
    assert list(table) == [field.name for field in own]
    for field in own:
        if isinstance(field.default, bool | int):
            assert table[field.name].strip() == str(field.default).lower()


def test_the_lifecycle_rule_is_one(moto_port: int) -> None:
    """A bucket takes the rules as they are written there."""
    client = amazons_client(moto_port)
    [rules] = [json.loads(one) for one in blocks("json") if "Rules" in one]
    client.create_bucket(Bucket="ruled")
    client.put_bucket_lifecycle_configuration(Bucket="ruled", LifecycleConfiguration=rules)
    kept = client.get_bucket_lifecycle_configuration(Bucket="ruled")["Rules"]
    assert [one["ID"] for one in kept] == [one["ID"] for one in rules["Rules"]]


def load(tmp_path: Path, sink: str) -> S3Options:
    path = tmp_path / "rtmsd.toml"
    path.write_text(CONFIG + sink)
    plugins = load_plugins()
    environ = {"SECRET": "a", "HOOK": "b", "KEY": "k"}
    options = load_config(path, sink_types=plugins.sink_types, environ=environ).sinks[0].options
    assert isinstance(options, S3Options)
    return options


def test_the_example_loads(tmp_path: Path) -> None:
    """The example is a configuration of this sink, and so is one with secrets, tags and paths."""
    [example] = blocks("toml")
    assert load(tmp_path, example).place.bucket == "meetings"
    more = 'access_key_id = "A"\nsecret_access_key = { env = "KEY" }\nca_file = "ca.pem"\n[sinks.tags]\nteam = "x"\n'
    options = load(tmp_path, example + more)
    assert options.secret_access_key is not None and options.secret_access_key.reveal() == "k"
    assert (options.tags, options.ca_file) == ({"team": "x"}, tmp_path / "ca.pem")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('layout = "{meeting}"', "two streams"),
        ('secret_access_key = "plain"', "plain text"),
        ('encryption = "rot13"', "AES256"),
        ("tags = { a = 1 }", "tags"),
        ('bucket = "x"', "unknown key"),
    ],
)
def test_problems_have_a_path(tmp_path: Path, line: str, problem: str) -> None:
    """`rtmsd validate` names the sink and what is wrong with it."""
    [example] = blocks("toml")
    with pytest.raises(ConfigError, match=rf"sinks\[0\].*{problem}"):
        load(tmp_path, f"{example}{line}\n")
