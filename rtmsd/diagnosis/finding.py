"""What one step of the doctor has found, and what all of them may use."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Literal

import aiohttp

from rtmsd.config import Config
from rtmsd.runtime.clock import Clock
from rtmsd.zoom.oauth import Token


@dataclass(frozen=True)
class Finding:
    """One line: the step, how it stands, and a sentence; of what is broken, with its remedy."""

    step: str
    state: Literal["ok", "skipped", "broken"]
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is examined, and with what. `tls` trusts the system's CAs and `zoom.ca_file`, and always verifies.

    `tokens`, by app, are there once they were fetched.
    """

    config: Config
    session: aiohttp.ClientSession
    tls: ssl.SSLContext
    clock: Clock
    tokens: dict[str, Token] = field(default_factory=dict)
