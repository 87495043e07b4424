"""The JSON Schema of the manifest, by a validator that is not ours. Every manifest of the suite goes through it: see conftest."""

from __future__ import annotations

import json
from importlib.resources import files

import jsonschema
import msgspec
import pytest
from recording_samples import end, opened, packet

from rtmsd.frames import Gap
from rtmsd.recording.manifest import FileEntry, Manifest, PictureEntry, Stop, TrackEntry, TrackPart

SCHEMA = json.loads(files("rtmsd.recording").joinpath("manifest.schema.json").read_text())


def test_it_is_a_schema():
    """The schema keeps the rules of its own language, and is in the package."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    ("described", "kind"),
    [
        (SCHEMA, Manifest),
        (SCHEMA["properties"]["stop"], Stop),
        (SCHEMA["$defs"]["track"], TrackEntry),
        (SCHEMA["$defs"]["track"]["properties"]["parts"]["items"], TrackPart),
        (SCHEMA["$defs"]["pictures"], PictureEntry),
        (SCHEMA["$defs"]["gap"], Gap),
        (SCHEMA["$defs"]["file"], FileEntry),
    ],
)
def test_it_has_every_field(described, kind):
    """Every field that is written is described and required, and no other is allowed."""
    fields = [field.encode_name for field in msgspec.structs.fields(kind)]
    assert sorted(described["properties"]) == sorted(described["required"]) == sorted(fields)
    assert described["additionalProperties"] is False


@pytest.mark.parametrize(
    "change",
    [
        {"completeness": 1.5},
        {"schema": 2},
        {"extra": 1},
        {"zero_ms": "now"},
        {"signer": "me"},
        {"files": {"/etc/passwd": {"bytes": 1, "sha256": "0" * 64}}},
        {"gaps": [{"cause": "x"}]},
    ],
)
def test_it_refuses(tmp_path, change):
    """What no manifest says is refused."""
    recording = opened(tmp_path)
    recording.write([packet(1, 0), end(1000)])
    recording.close()
    about = json.loads((tmp_path / "manifest.json").read_bytes())
    jsonschema.validate(about, SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(about | change, SCHEMA)
