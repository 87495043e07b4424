"""From what was seen to its cause and its remedy, in sentences."""

from rtmsd.diagnosis.codes import STATUS_CODES, STOP_REASONS, Explanation, status_code, stop_reason
from rtmsd.diagnosis.streams import explain_end, explain_medium

__all__ = [
    "STATUS_CODES",
    "STOP_REASONS",
    "Explanation",
    "explain_end",
    "explain_medium",
    "status_code",
    "stop_reason",
]
