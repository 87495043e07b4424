"""Read the file, fill the dataclasses, check what concerns several of them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rtmsd.api.sinks import SinkType
from rtmsd.config.document import plugin_dir_problem, read_document
from rtmsd.config.listen import Listen, is_loopback
from rtmsd.config.media import read_media
from rtmsd.config.model import (
    AdminConfig,
    AppConfig,
    Config,
    DeliveryConfig,
    SinkConfig,
    WebhookConfig,
    ZoomConfig,
)
from rtmsd.config.once import Names, Once
from rtmsd.config.secrets import Secret
from rtmsd.config.starting import check_start, read_expected, read_only
from rtmsd.config.walk import BAD, Surroundings, Table, did_you_mean
from rtmsd.errors import ConfigError

_WEBHOOK_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_HOST = re.compile(r"(\*\.(?=[^.]+\.))?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


def load_config(
    path: Path,
    *,
    sink_types: Mapping[str, SinkType],
    environ: Mapping[str, str],
    broken_plugins: Sequence[str] = (),
) -> Config:
    """Read a configuration. `sink_types` are what plugins offer, by name; relative paths are below the file's directory.

    `broken_plugins` says, in a sentence each, which plugins offer nothing: a warning, or the reason why a type is missing.
    Raise ConfigError with every problem at once. Reads secrets; creates nothing.
    """
    problems: list[str] = []
    surroundings = Surroundings(environ=environ, base=path.absolute().parent)
    root = Table(read_document(path), path="", problems=problems, surroundings=surroundings)
    state_dir = _state_dir(root)
    plugin_dir = _plugin_dir(root)
    webhook = _webhook(root.table("webhook"))
    admin = _admin(root.table("admin"))
    zoom = _zoom(root.table("zoom"))
    sinks, sink_names = _sinks(root, sink_types, broken_plugins)
    apps = _apps(root, sink_names)
    _check_codecs(root, apps, {one.name: one.type for one in sinks}, sink_types)
    root.finish()
    if problems:
        raise ConfigError(problems)
    return Config(
        state_dir=state_dir,
        webhook=webhook,
        admin=admin,
        zoom=zoom,
        apps=tuple(apps),
        sinks=tuple(sinks),
        plugin_dir=plugin_dir,
        warnings=(*broken_plugins, *_warnings(webhook, apps)),
    )


def _state_dir(root: Table) -> Path:
    value = root.take("state_dir", str)
    if value is BAD:
        return Path()
    if not Path(value).is_absolute():
        root.problem("state_dir", f'expected an absolute path, such as "/var/lib/rtmsd", got "{value}"')
    return Path(value)


def _plugin_dir(root: Table) -> Path | None:
    value = root.take("plugin_dir", Path, None)
    if value is BAD or value is None:
        return None
    if problem := plugin_dir_problem(value):
        root.problem("plugin_dir", problem)
    return Path(value)


def _webhook(table: Table) -> WebhookConfig:
    webhook: WebhookConfig = table.fill(WebhookConfig)
    table.finish()
    if webhook is not BAD and not _WEBHOOK_PATH.fullmatch(webhook.path):
        table.problem(
            "path", f'expected a path such as "/webhook", without a slash at its end, got "{webhook.path}"'
        )
    if webhook is not BAD and webhook.public_url is not None and not _is_public_url(webhook.public_url):
        table.problem(
            "public_url",
            'expected the https:// URL that Zoom calls, such as "https://your.name/webhook", without the app\'s name, a slash '
            "at its end, a question mark or a password",
        )
    return webhook


def _is_public_url(text: str) -> bool:
    return _is_safe_url(text) and not text.endswith("/") and not set(text) & set("?#@ ")


def _admin(table: Table) -> AdminConfig:
    admin: AdminConfig = table.fill(AdminConfig)
    table.finish()
    if admin is not BAD and not admin.listen.local and admin.token is None:
        table.problem("token", f"is required, since {admin.listen} can be reached from other machines")
    return admin


def _zoom(table: Table) -> ZoomConfig:
    zoom: ZoomConfig = table.fill(ZoomConfig)
    table.finish()
    if zoom is not BAD:
        _check_zoom(table, zoom)
        zoom = dataclasses.replace(zoom, allowed_hosts=tuple(host.lower() for host in zoom.allowed_hosts))
    return zoom


def _check_zoom(table: Table, zoom: ZoomConfig) -> None:
    for key in ("oauth_url", "api_url"):
        if not _is_safe_url(getattr(zoom, key)):
            table.problem(key, "expected an https:// URL (http:// only to this machine's loopback)")
    if not _is_safe_url(zoom.events_url, "ws"):
        table.problem("events_url", "expected a wss:// URL (ws:// only to this machine's loopback)")
    if not zoom.allowed_hosts:
        table.problem(
            "allowed_hosts", "names no host, so that no stream could be joined; leave it out for Zoom's"
        )
    for index, host in enumerate(zoom.allowed_hosts):
        if not _is_host(host.lower()):
            table.problem(
                f"allowed_hosts[{index}]",
                "expected a host name without scheme, port or path, "
                f'with "*." at most in front of a domain, got "{host}"',
            )
    if zoom.ca_file is not None and not zoom.ca_file.is_file():
        table.problem("ca_file", f"there is no file {zoom.ca_file}")


def _is_safe_url(text: str, scheme: str = "http") -> bool:
    try:
        url = urlsplit(text)
        host = url.hostname or ""
    except ValueError:
        return False
    return bool(host) and (url.scheme == f"{scheme}s" or (url.scheme == scheme and is_loopback(host)))


def _is_host(text: str) -> bool:
    # IPv6 addresses are the only names with colons that mean no port.
    return bool(_HOST.fullmatch(text)) or (":" in text and is_loopback(text))


def _sinks(
    root: Table, sink_types: Mapping[str, SinkType], broken: Sequence[str]
) -> tuple[list[SinkConfig], list[str]]:
    """Read `[[sinks]]`. The names are also those of sinks that have problems, so that one mistake is told once."""
    sinks, names = [], Names("sink")
    tables = root.tables("sinks")
    if not tables:
        root.problem("sinks", "expected at least one [[sinks]], where recordings go")
    for table in tables:
        name = names.take(table)
        kind = table.take("type", str)
        delivery = table.fill(DeliveryConfig)
        if kind is BAD:
            continue
        if kind not in sink_types:
            table.problem("type", _no_type(kind, sink_types, broken))
            continue
        if delivery is not BAD and not table.has("batch_ms"):
            delivery = dataclasses.replace(delivery, batch_ms=sink_types[kind].batch_ms)
        options = table.fill(sink_types[kind].options)
        table.finish()
        if BAD not in (name, delivery, options):
            sinks.append(SinkConfig(name=name, type=kind, options=options, delivery=delivery))
    return sinks, names.seen


def _no_type(kind: str, sink_types: Mapping[str, SinkType], broken: Sequence[str]) -> str:
    known = ", ".join(f'"{one}"' for one in sorted(sink_types)) or "none: no plugin offers any"
    sentence = f'no plugin offers "{kind}"; known are {known}{did_you_mean(kind, sink_types)}'
    return f"{sentence}. Broken, and perhaps the one that should: {'; '.join(broken)}" if broken else sentence


def _apps(root: Table, sink_names: Sequence[str]) -> list[AppConfig]:
    apps: list[AppConfig] = []
    names, once = Names("app"), Once()
    tables = root.tables("apps")
    if not tables:
        root.problem("apps", "expected at least one [[apps]], whose webhooks are taken")
    for table in tables:
        name = names.take(table)
        client_id = table.take("client_id", str)
        client_secret = table.take("client_secret", Secret)
        webhook_secrets = table.take("webhook_secrets", tuple[Secret, ...])
        app = table.fill(
            AppConfig,
            name=name,
            client_id=client_id,
            client_secret=client_secret,
            webhook_secrets=webhook_secrets,
            sinks=_app_sinks(table, sink_names),
            only=read_only(table),
            expected=read_expected(table),
            media=read_media(table),
        )
        table.finish()
        once.check(table, client_id, client_secret, webhook_secrets)
        if app is not BAD:
            check_start(table, app)
            once.check_controller(table, app.manual)
            apps.append(app)
    return apps


def _app_sinks(table: Table, sink_names: Sequence[str]) -> Any:
    names = table.take("sinks", tuple[str, ...], tuple(sink_names))
    if names is BAD:
        return BAD
    if table.has("sinks") and not names:
        table.problem("sinks", "names no sink; leave this line out to use all")
    for index, name in enumerate(names):
        if name not in sink_names:
            known = ", ".join(sink_names) or "none"
            table.problem(
                f"sinks[{index}]",
                f'no sink has the name "{name}"; there are: {known}{did_you_mean(name, sink_names)}',
            )
    return tuple(dict.fromkeys(names))


def _check_codecs(
    root: Table, apps: Sequence[AppConfig], kinds: Mapping[str, str], sink_types: Mapping[str, SinkType]
) -> None:
    """Note where an app asks Zoom for sound that one of its sinks does not understand; `kinds` are the sinks' types."""
    for index, app in enumerate(apps):
        for name in app.sinks:
            known = sink_types[kinds[name]].audio_codecs if name in kinds else None
            if known is not None and app.media.audio_codec not in known:
                root.problem(
                    f"apps[{index}].media.audio_codec",
                    f'is "{app.media.audio_codec}", which sink "{name}" of type "{kinds[name]}" does not understand; '
                    f"it takes {', '.join(sorted(known))}. Change one of them, or leave the sink out of this app's sinks",
                )


def _warnings(webhook: WebhookConfig, apps: Sequence[AppConfig]) -> list[str]:
    warnings = []
    if len(apps) > 1:
        own = ", ".join(f"{webhook.path}/{app.name}" for app in apps)
        warnings.append(
            f"webhook.path: {len(apps)} apps share {webhook.path}, where an unsigned URL validation cannot be answered; "
            f"give Zoom each app's own: {own}"
        )
    if isinstance(webhook.listen, Listen) and webhook.listen.port == 0:
        warnings.append("webhook.listen: port 0 is another port at every start; Zoom needs one that stays")
    return warnings
