"""What must survive kill -9: the journal."""

from rtmsd.state.journal import Journal
from rtmsd.state.past import Past, PastWebhook, Story, read_journal
from rtmsd.state.rows import MeetingRow, NoteRow, StreamRow, Taken, WebhookRow

__all__ = [
    "Journal",
    "MeetingRow",
    "NoteRow",
    "Past",
    "PastWebhook",
    "Story",
    "StreamRow",
    "Taken",
    "WebhookRow",
    "read_journal",
]
