"""Zoom's side of Realtime Media Streams, written from protocol.md alone: it must not share the client's mistakes."""

from rtmsd.simulator.command import run_sim
from rtmsd.simulator.connection import Received
from rtmsd.simulator.meeting import Joins, Leaves, Meeting, Mutes, Person, Says, Unmutes, default_meeting
from rtmsd.simulator.server import Simulator
from rtmsd.simulator.speech import Sentence, load_sentences
from rtmsd.simulator.stream import Timings
from rtmsd.simulator.truth import Change, Pause, Phrase, Span, Truth

__all__ = [
    "Change",
    "Joins",
    "Leaves",
    "Meeting",
    "Mutes",
    "Pause",
    "Person",
    "Phrase",
    "Received",
    "Says",
    "Sentence",
    "Simulator",
    "Span",
    "Timings",
    "Truth",
    "Unmutes",
    "default_meeting",
    "load_sentences",
    "run_sim",
]
