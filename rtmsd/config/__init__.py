"""The configuration: one TOML file into frozen dataclasses, every problem at once."""

from rtmsd.config.listen import Listen, UnixListen
from rtmsd.config.load import load_config
from rtmsd.config.model import (
    AdminConfig,
    AppConfig,
    Config,
    DeliveryConfig,
    MediaConfig,
    OnlyConfig,
    SinkConfig,
    WebhookConfig,
    ZoomConfig,
)
from rtmsd.config.secrets import Secret

__all__ = [
    "AdminConfig",
    "AppConfig",
    "Config",
    "DeliveryConfig",
    "Listen",
    "MediaConfig",
    "OnlyConfig",
    "Secret",
    "SinkConfig",
    "UnixListen",
    "WebhookConfig",
    "ZoomConfig",
    "load_config",
]
