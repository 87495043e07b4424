"""The configuration's values. A field's default is the option's default; `config/rtmsd.toml` explains each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from rtmsd.config.listen import Listen, SystemdListen, UnixListen
from rtmsd.config.secrets import Secret


@dataclass(frozen=True, kw_only=True)
class WebhookConfig:
    """Where Zoom's webhooks come in. `public_url`: what Zoom calls for `path`; only the doctor asks it."""

    listen: Listen | UnixListen | SystemdListen
    path: str = "/webhook"
    public_url: str | None = None


@dataclass(frozen=True, kw_only=True)
class AdminConfig:
    """Status page, JSON API and health; never on the public listener."""

    listen: Listen | UnixListen = field(default_factory=lambda: Listen("127.0.0.1", 8081))
    token: Secret | None = None


@dataclass(frozen=True, kw_only=True)
class ZoomConfig:
    """Where Zoom is. `allowed_hosts` are lower-case names without port, `*.` as first label matches any depth."""

    oauth_url: str = "https://zoom.us/oauth/token"
    api_url: str = "https://api.zoom.us/v2"
    events_url: str = "wss://ws.zoom.us/ws"
    allowed_hosts: tuple[str, ...] = ("*.zoom.us", "*.zoomgov.com")
    ca_file: Path | None = None


@dataclass(frozen=True, kw_only=True)
class OnlyConfig:
    """Which streams are taken: every line that is there must match; `start.rules` judges.

    `topics` are patterns with `*` and `?`, without regard to case. `second_stream`: what becomes of two streams of one
    meeting. `refused`: what is not taken is left to others, or stopped.
    """

    original_host: bool = False
    hosts: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    meetings: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    second_stream: Literal["both", "first", "host"] = "both"
    refused: Literal["leave", "stop"] = "leave"


@dataclass(frozen=True, kw_only=True)
class ManualConfig:
    """The Server-to-Server OAuth app that starts the RTMS app. `webhook_secrets` are those of its own event subscription."""

    account_id: str
    client_id: str
    client_secret: Secret
    webhook_secrets: tuple[Secret, ...] = ()
    regional_api: bool = False
    calls_per_sec: Annotated[float, Meta(ge=0.1, le=80)] = 4.0
    look_every_secs: Annotated[float, Meta(ge=10, le=86_400)] = 300.0


@dataclass(frozen=True, kw_only=True)
class HostConfig:
    """A host who authorised the RTMS app: the first refresh token; the journal keeps those that follow."""

    user_id: str
    refresh_token: Secret


@dataclass(frozen=True, kw_only=True)
class ExpectedConfig:
    """A meeting that should be streamed: from `at` on, and again after every so many days. `at` has an offset."""

    meeting: str
    at: datetime
    every_days: Annotated[int, Meta(ge=0, le=366)] = 0


@dataclass(frozen=True, kw_only=True)
class EventsConfig:
    """Events by Zoom's event WebSocket. `owner`: whose subscription it is, the RTMS app's or that of `[apps.manual]`."""

    subscription_id: str
    owner: Literal["app", "manual"] = "app"


@dataclass(frozen=True, kw_only=True)
class MediaConfig:
    """What is asked of Zoom, as far as the app's sinks want it (protocol.md §5.5); `config.media` checks what goes
    together, and gives a codec's own defaults."""

    audio: Literal["per_participant", "mixed"] = "per_participant"
    audio_codec: Literal["L16", "OPUS", "G711", "G722"] = "L16"
    audio_channels: Literal[1, 2] = 1
    sample_rate: Literal[8000, 16000, 32000, 48000] = 16000
    send_rate_ms: Annotated[int, Meta(ge=20, le=1000, multiple_of=20)] = 100
    video: Literal["active_speaker", "individual"] = "active_speaker"
    video_participant: Literal["active_speaker", "first"] = "active_speaker"
    video_codec: Literal["H264", "JPG", "PNG"] = "H264"
    video_resolution: Literal["SD", "HD", "FHD", "QHD"] = "HD"
    video_fps: Annotated[int, Meta(ge=1, le=30)] = 25
    share_codec: Literal["JPG", "PNG", "H264"] = "JPG"
    share_resolution: Literal["SD", "HD", "FHD", "QHD"] = "FHD"
    share_fps: Annotated[int, Meta(ge=1, le=30)] = 1
    language: str = "en"
    detect_language: bool = True


@dataclass(frozen=True, kw_only=True)
class AppConfig:
    """One app of the Zoom Marketplace. The first of `webhook_secrets` answers unsigned URL validations."""

    name: str
    client_id: str
    client_secret: Secret
    webhook_secrets: tuple[Secret, ...]
    sinks: tuple[str, ...]
    start: Literal["auto", "manual"] = "auto"
    start_deadline_secs: Annotated[float, Meta(ge=10, le=86_400)] = 120.0
    manual: ManualConfig | None = None
    hosts: tuple[HostConfig, ...] = ()
    expected: tuple[ExpectedConfig, ...] = ()
    events: EventsConfig | None = None
    only: OnlyConfig = field(default_factory=OnlyConfig)
    media: MediaConfig = field(default_factory=MediaConfig)


@dataclass(frozen=True, kw_only=True)
class DeliveryConfig:
    """How a sink's queue behaves. These keys stand directly in `[[sinks]]`, beside the sink's own."""

    batch_ms: Annotated[int, Meta(ge=1, le=60_000)] = 500
    queue_bytes: Annotated[int, Meta(ge=65_536)] = 16 * 1024 * 1024
    when_full: Literal["drop_newest", "drop_oldest"] = "drop_newest"
    write_timeout_secs: Annotated[float, Meta(gt=0, le=3600)] = 30.0
    drain_secs: Annotated[float, Meta(ge=0, le=3600)] = 10.0


@dataclass(frozen=True, kw_only=True)
class SinkConfig:
    """One `[[sinks]]`. `options` is an instance of the sink type's own dataclass."""

    name: str
    type: str
    options: Any  # each sink type has its own dataclass
    delivery: DeliveryConfig = field(default_factory=DeliveryConfig)


@dataclass(frozen=True, kw_only=True)
class Config:
    """All of it. `warnings` are sentences about what works, but perhaps not as meant."""

    state_dir: Path
    webhook: WebhookConfig
    admin: AdminConfig
    zoom: ZoomConfig
    apps: tuple[AppConfig, ...]
    sinks: tuple[SinkConfig, ...]
    plugin_dir: Path | None = None
    warnings: tuple[str, ...] = ()
