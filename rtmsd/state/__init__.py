"""What must survive kill -9: the journal."""

from rtmsd.state.journal import Journal
from rtmsd.state.rows import StreamRow, Taken, WebhookRow

__all__ = ["Journal", "StreamRow", "Taken", "WebhookRow"]
