"""The sentences of the contract that scenarios refer to, word for word as they stand in `rtmsd.api.sinks`."""

BATCH_LIST = "The list is rtmsd's: neither change it nor keep it."
ANY_MIX = "A batch holds 1 to 512 items in any mix, also a single Gap, Event or StreamEnd."
CANCELLED = "When a call is cancelled, end soon and let CancelledError through."
CHECK = "Raise SinkError with a sentence when this sink could not write now, and nothing else ever."
CHECK_LITTER = "Called at start, and perhaps again: leave nothing behind."
CONTINUES = "Begin (`segment` 0) or continue (1, 2, …) the recording of a stream."
DURABLE = "Leaving the context normally makes everything written durable"
EMPTY_SEGMENT = (
    "A segment may end before anything was written, and the last one may bring nothing but StreamEnd."
)
FIRST_SEEN = "Any segment may be the first that you see."
IDS = "ids may hold any character (Zoom's hold `/`, `+` and `=`)."
LET_THROUGH = "Let that exception through."
LOOP = "never block it for longer than some milliseconds; what blocks belongs in a thread."
NOTHING_REMAINS = "After its context is left, neither tasks nor threads nor open files remain of it."
NUMBERS = "What is not so is left out, and told once."
OPTIONS = "`options` is a frozen dataclass"
PURGE = "Delete everything stored of this stream and leave a tombstone; also called after its close."
PURGE_AFTERWARDS = (
    "What comes of the stream afterwards is not kept: reject it, or refuse to open with SinkError."
)
PURGE_ANY_TIME = "It may come before the stream was ever opened, while it is written, and twice."
PURGE_OTHERS = "Other streams do not notice."
REFUSALS = "An item that you have no use for is no reason for either: skip it."
RESTART = (
    "After a restart of the daemon the first segment is 0 again: a sink that finds its own unfinished recording of "
    "this stream continues it."
)
RETRY = (
    "Raise SinkRetry when nothing of the batch was kept and it should be offered again (undo a part first)"
)
SEVERAL_STREAMS = "Several streams are open at the same time"
TAKEN = "Return when the items are taken, not before."
UNKNOWN = (
    "Events, causes and reasons that you do not know will come, as will frames that are older than the last one: "
    "take them."
)
VALID = "leaving it with an exception keeps what is valid and marks it unfinished."
WANTS = "`wants` names the kinds of frames that the sink takes, always the same for the same options."
