"""The validator kind: does a frame hold what a reviewed suite expects of it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from stackyard.components.base import Component
from stackyard.components.suite_check import mistakes, written
from stackyard.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

Severity: TypeAlias = Literal["info", "warning", "critical"]
Verdict: TypeAlias = Literal["pass", "fail", "error", "skipped"]


@dataclass(frozen=True)
class Expectation:
    """One line of a suite, in the validator's own vocabulary.

    Attributes:
        type: Its name, e.g. ``expect_column_values_to_not_be_null``.
        kwargs: Its arguments.
        severity: Only a ``critical`` one stops a run.
        notes: For people: why it is expected, or where its bounds come from.
    """

    type: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity = "critical"
    notes: str = ""


@dataclass(frozen=True)
class Suite:
    """What is expected of a frame, as reviewed."""

    name: str
    expectations: tuple[Expectation, ...]

    @classmethod
    def of(cls, suite: Mapping[str, Any]) -> Suite:
        """The suite that plain data, such as ``read_suite`` gives, stands for.

        Raises:
            InvalidInput: it is not the data of a suite; names every mistake and its place.
        """
        wrong = [f"{written(route)}: {text}".removeprefix(": ") for route, text in mistakes(suite)]
        if wrong:
            raise InvalidInput(f"this is no suite: {'; '.join(wrong)}")
        return cls(suite["name"], tuple(Expectation(**one) for one in suite["expectations"]))

    def plain(self) -> dict[str, Any]:
        """The same as plain data, without what is the default."""
        rows = [
            {"type": e.type, "kwargs": dict(e.kwargs)}
            | ({"severity": e.severity} if e.severity != "critical" else {})
            | ({"notes": e.notes} if e.notes else {})
            for e in self.expectations
        ]
        return {"name": self.name, "expectations": rows}


@dataclass(frozen=True)
class Check:
    """The outcome of one expectation.

    Attributes:
        expectation: The expectation's type.
        verdict: ``fail``: the data is not as expected. ``error``: it could not be told, e.g.
            because the column is missing. ``skipped``: the validator left it out.
        severity: As the suite says.
        column: The column that it is about, empty where it is about the whole frame.
        unexpected: Rows that are not as expected; None where the expectation counts no rows.
        total: Rows that were looked at: without nulls, unless the expectation is about them.
        message: What was found, beside what was expected; holds no values of rows.
        examples: Values that are not as expected, as text; only if asked for.
        kwargs: The arguments, as the suite says.
    """

    expectation: str
    verdict: Verdict
    severity: Severity = "critical"
    column: str = ""
    unexpected: int | None = None
    total: int | None = None
    message: str = ""
    examples: tuple[str, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ValidationReport:
    """The outcomes of one suite on one frame, in the order of the suite."""

    suite: str
    rows: int
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether no critical check failed or could not be made."""
        return not self.stopping

    @property
    def stopping(self) -> tuple[Check, ...]:
        """The critical checks that failed or could not be made."""
        return tuple(c for c in self.of("fail", "error") if c.severity == "critical")

    def of(self, *verdicts: Verdict) -> tuple[Check, ...]:
        """The checks with one of ``verdicts``."""
        return tuple(c for c in self.checks if c.verdict in verdicts)


class Validator(Component):
    """Contract of a validator. Capabilities: ``profile``, ``learn``."""

    kind: ClassVar[str] = "validator"
    optional: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "profile": ("profile",),
        "learn": ("learn",),
    }

    @abstractmethod
    def validate(self, frame: pd.DataFrame, suite: Suite, *, examples: int = 0) -> ValidationReport:
        """Check ``frame`` against ``suite``; the frame is not changed.

        A check that cannot be made is an ``error`` in the report and stops no other. Call
        ``self.note(report)``.

        Args:
            frame: what is checked.
            suite: what is expected.
            examples: how many unexpected values each check may show. Data of persons must not
                reach records and logs unless somebody asks for it.

        Raises:
            InvalidInput: the suite is empty, an expectation is unknown or its arguments are wrong
                (all are named at once), or the frame has no rows.
        """

    @abstractmethod
    def expectations(self) -> Sequence[str]:
        """Types of the expectations that a suite may use, sorted."""

    def profile(self, frame: pd.DataFrame, name: str) -> Suite:
        """Propose a suite that ``frame`` passes, for review (capability ``profile``).

        Raises:
            InvalidInput: the frame has no rows.
        """
        self.require("profile")
        raise NotImplementedError

    def learn(
        self, history: Iterable[pd.DataFrame], name: str, *, false_alarms: float = 0.01
    ) -> Suite:
        """Propose bounds from the frames of earlier runs, for review (capability ``learn``).

        They watch what fails silently: the schema, nulls, units, the set of values and volume.

        Args:
            history: frames of earlier runs, oldest first; more make narrower bounds.
            name: the suite's name.
            false_alarms: the chance that a sound frame fails any of the expectations.

        Raises:
            InvalidInput: there are too few frames to say anything.
        """
        self.require("learn")
        raise NotImplementedError
