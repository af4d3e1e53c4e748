"""The validator kind: does a frame hold what a reviewed suite expects of it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from stackyard.components.base import Component

if TYPE_CHECKING:
    import pandas as pd

Verdict: TypeAlias = Literal["pass", "fail", "error", "skipped"]


@dataclass(frozen=True)
class Check:
    """The outcome of one expectation; ``unexpected`` and ``total`` count rows."""

    expectation: str
    verdict: Verdict
    severity: Literal["info", "warning", "critical"] = "critical"
    arguments: Mapping[str, Any] = field(default_factory=dict)
    unexpected: int | None = None
    total: int | None = None
    message: str = ""


@dataclass(frozen=True)
class ValidationReport:
    """All outcomes of one suite on one frame."""

    suite: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether no critical check failed and none could not be made."""
        return all(
            c.verdict in ("pass", "skipped") for c in self.checks if c.severity == "critical"
        )


class Validator(Component):
    """Contract of a validator. Capabilities: ``profile``, ``learn``."""

    kind: ClassVar[str] = "validator"

    @abstractmethod
    def validate(self, frame: pd.DataFrame, suite: Mapping[str, Any]) -> ValidationReport:
        """Check ``frame`` against ``suite``.

        Raises:
            InvalidInput: the suite is empty or not understood.
        """

    @abstractmethod
    def expectations(self) -> Sequence[str]:
        """Names of the expectations that a suite may use."""
