"""The configuration: one TOML file into frozen dataclasses, every problem at once."""

from rtmsd.config.document import find_plugin_dir, plugin_dir_problem
from rtmsd.config.listen import Listen, SystemdListen, UnixListen, is_loopback
from rtmsd.config.load import load_config
from rtmsd.config.model import (
    AdminConfig,
    AppConfig,
    Config,
    DeliveryConfig,
    EventsConfig,
    ExpectedConfig,
    HostConfig,
    ManualConfig,
    MediaConfig,
    OnlyConfig,
    SinkConfig,
    WebhookConfig,
    ZoomConfig,
)
from rtmsd.config.one_sink import load_sink_options
from rtmsd.config.secrets import Secret

__all__ = [
    "AdminConfig",
    "AppConfig",
    "Config",
    "DeliveryConfig",
    "EventsConfig",
    "ExpectedConfig",
    "HostConfig",
    "Listen",
    "ManualConfig",
    "MediaConfig",
    "OnlyConfig",
    "Secret",
    "SinkConfig",
    "SystemdListen",
    "UnixListen",
    "WebhookConfig",
    "ZoomConfig",
    "find_plugin_dir",
    "is_loopback",
    "load_config",
    "load_sink_options",
    "plugin_dir_problem",
]
