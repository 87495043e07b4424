"""Zoom's side of Realtime Media Streams, written from protocol.md alone: it must not share the client's mistakes."""

from rtmsd.simulator.actions import (
    Action,
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
from rtmsd.simulator.audio_codecs import AudioParams
from rtmsd.simulator.command import run_sim
from rtmsd.simulator.connection import Received
from rtmsd.simulator.guest_first import guest_first_meeting
from rtmsd.simulator.meeting import Meeting, Person, default_meeting
from rtmsd.simulator.person_actions import (
    ChangesGroup,
    Chats,
    Corrects,
    Holds,
    Shares,
    TurnsCamera,
    VoiceEvent,
)
from rtmsd.simulator.products import PRODUCTS, Product
from rtmsd.simulator.scenario import load_scenario
from rtmsd.simulator.server import Simulator
from rtmsd.simulator.speech import Sentence, load_sentences
from rtmsd.simulator.truth import Change, Pause, Phrase, Shown, Span, Truth, Written
from rtmsd.simulator.truth_audio import sent_audio
from rtmsd.simulator.truth_files import read_truth, write_truth

__all__ = [
    "PRODUCTS",
    "Action",
    "AudioParams",
    "Change",
    "ChangesGroup",
    "Chats",
    "Corrects",
    "Drops",
    "Ends",
    "FallsSilent",
    "Holds",
    "Joins",
    "Leaves",
    "Meeting",
    "Mutes",
    "Pause",
    "Pauses",
    "Person",
    "Phrase",
    "PostsWebhooks",
    "Product",
    "Received",
    "Resumes",
    "Says",
    "Sentence",
    "Shares",
    "Shown",
    "Simulator",
    "Span",
    "Timings",
    "Truth",
    "TurnsCamera",
    "Unmutes",
    "VoiceEvent",
    "Written",
    "default_meeting",
    "guest_first_meeting",
    "load_scenario",
    "load_sentences",
    "read_truth",
    "run_sim",
    "sent_audio",
    "write_truth",
]
