"""Check a sink against its contract: `await check_sink(SINK_TYPE, options, tmp_path=tmp_path)` is a whole test."""

from rtmsd.api.testing.check import SCENARIOS, check_sink, check_sink_sync
from rtmsd.api.testing.report import ContractBroken, ContractReport, Finding

__all__ = [
    "SCENARIOS",
    "ContractBroken",
    "ContractReport",
    "Finding",
    "check_sink",
    "check_sink_sync",
]
