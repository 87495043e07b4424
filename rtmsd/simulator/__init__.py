"""Zoom's side of Realtime Media Streams, written from protocol.md alone: it must not share the client's mistakes."""

from rtmsd.simulator.actions import (
    Action,
    Chats,
    Drops,
    Ends,
    FallsSilent,
    Joins,
    Leaves,
    Mutes,
    Pauses,
    PostsWebhooks,
    Resumes,
    Says,
    Unmutes,
)
from rtmsd.simulator.admission import Timings
from rtmsd.simulator.command import run_sim
from rtmsd.simulator.connection import Received
from rtmsd.simulator.meeting import Meeting, Person, default_meeting
from rtmsd.simulator.scenario import load_scenario
from rtmsd.simulator.server import Simulator
from rtmsd.simulator.speech import Sentence, load_sentences
from rtmsd.simulator.truth import Change, Pause, Phrase, Span, Truth, Written
from rtmsd.simulator.truth_files import read_truth, write_truth

__all__ = [
    "Action",
    "Change",
    "Chats",
    "Drops",
    "Ends",
    "FallsSilent",
    "Joins",
    "Leaves",
    "Meeting",
    "Mutes",
    "Pause",
    "Pauses",
    "Person",
    "Phrase",
    "PostsWebhooks",
    "Received",
    "Resumes",
    "Says",
    "Sentence",
    "Simulator",
    "Span",
    "Timings",
    "Truth",
    "Unmutes",
    "Written",
    "default_meeting",
    "load_scenario",
    "load_sentences",
    "read_truth",
    "run_sim",
    "write_truth",
]
