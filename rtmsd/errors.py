"""The one exception tree. Each text says what was expected, what came and what to do."""


class RtmsdError(Exception):
    """Everything that rtmsd raises on purpose."""


class ConfigError(RtmsdError):
    """The configuration cannot be used. `problems` holds one sentence each, with its path first."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class PluginError(RtmsdError):
    """A plugin could not be found or loaded, or does not keep its contract."""


class JournalError(RtmsdError):
    """The journal cannot be opened or written."""


class RecordingError(RtmsdError):
    """A recording cannot be written, read or verified."""


class SimulatorError(RtmsdError):
    """The simulator was asked for something it cannot play."""


class SinkError(RtmsdError):
    """A sink refuses to start, or cannot write."""


class SinkRetry(SinkError):
    """Nothing of this batch was kept: offer it again after `after` seconds."""

    def __init__(self, message: str, *, after: float = 1.0) -> None:
        super().__init__(message)
        self.after = after


class SinkReject(SinkError):
    """This batch was not kept and never will be; go on with the next one."""
