"""What a check found, in sentences."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn


@dataclass(frozen=True)
class Finding:
    """One rule that a sink broke: in which scenarios, what was expected, what it did, and where the contract says so."""

    scenario: str
    expected: str
    did: str
    rule: str
    error: BaseException | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.scenario}: expected {self.expected}; {self.did}. The contract: “{self.rule}”"


class ContractBroken(AssertionError):
    """A sink does not keep its contract; `report` holds the findings."""

    def __init__(self, report: ContractReport) -> None:
        self.report = report
        number = len(report.findings)
        sentences = "".join(f"\n- {finding}" for finding in report.findings)
        super().__init__(
            f"sink type {report.sink_type!r} breaks its contract in {number} way{'s' * (number != 1)}:{sentences}"
        )


@dataclass(frozen=True)
class ContractReport:
    """What was played. `skipped` says why for each scenario that was not."""

    sink_type: str
    played: tuple[str, ...]
    skipped: dict[str, str]
    findings: tuple[Finding, ...]

    def raise_broken(self) -> NoReturn:
        """Raise ContractBroken, from what the sink itself raised first, so that its traceback is shown."""
        errors = [finding.error for finding in self.findings if finding.error is not None]
        raise ContractBroken(self) from (errors[0] if errors else None)
