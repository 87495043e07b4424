"""Zoom's cloud around the meetings: accounts, apps, who may start a stream, REST, tokens and the events of a meeting's life."""

from rtmsd.simulator.cloud.cloud import HOST_ID, Cloud
from rtmsd.simulator.cloud.credentials import new_credentials
from rtmsd.simulator.cloud.gathering import Gathering
from rtmsd.simulator.cloud.outlet import Sent
from rtmsd.simulator.cloud.world import Attendee, CloudApp, Controller, Era, HostGrant, RunningStream

__all__ = [
    "HOST_ID",
    "Attendee",
    "Cloud",
    "CloudApp",
    "Controller",
    "Era",
    "Gathering",
    "HostGrant",
    "RunningStream",
    "Sent",
    "new_credentials",
]
