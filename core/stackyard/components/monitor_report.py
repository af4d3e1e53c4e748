"""What a monitor found: scores by column, and a verdict for the whole with the rule behind it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Subject: TypeAlias = Literal["input", "prediction", "quality", "performance"]
Direction: TypeAlias = Literal["above", "below"]
Verdict: TypeAlias = Literal["drifted", "not drifted", "cannot tell"]


@dataclass(frozen=True)
class Score:
    """One figure of one column; it says nothing without its method, threshold and direction.

    Attributes:
        column: The column.
        subject: What it is about: drift of an ``input`` or of a ``prediction``, or ``quality`` or
            ``performance``.
        method: How it was computed, e.g. ``psi`` or ``share missing``.
        score: What was found; None where it was not computed.
        threshold: Where drift begins, or what is too bad.
        direction: On which side of the threshold that is.
        reference: The same figure on the reference, where it has one: quality and performance.
        not_computed: Why there is no score.
        watched: False where it does not count: identifiers, times, what the reference never had.
    """

    column: str
    subject: Subject
    method: str = ""
    score: float | None = None
    threshold: float | None = None
    direction: Direction = "above"
    reference: float | None = None
    not_computed: str = ""
    watched: bool = True

    @property
    def drifted(self) -> bool | None:
        """Whether it is beyond its threshold; None where there is no score."""
        if self.score is None or self.threshold is None:
            return None
        if self.direction == "above":
            return self.score > self.threshold
        return self.score < self.threshold


@dataclass(frozen=True)
class Side:
    """One side of a comparison; ``since`` and ``until`` are its first and last moment, if known."""

    rows: int
    since: str = ""  # ISO 8601
    until: str = ""


@dataclass(frozen=True)
class Histogram:
    """How the values of a column are spread: for each bin its share of either side's values.

    The outer bins of numbers are open, and rare categories are one bin, so that no value of a
    single row is among the labels.
    """

    labels: tuple[str, ...]
    current: tuple[float, ...]
    reference: tuple[float, ...]


@dataclass(frozen=True)
class MonitorReport:
    """One comparison.

    Attributes:
        verdict: Of the whole.
        reason: Why, in one line.
        rule: By which the scores make the verdict.
        scores: Of all columns, in the order of the reference, by subject.
        current: What was compared.
        reference: What it was compared with.
        minimum: How many values a column needs on either side.
        histograms: By column, of those that could be compared.
    """

    verdict: Verdict
    reason: str
    rule: str
    scores: tuple[Score, ...]
    current: Side
    reference: Side
    minimum: int = 0
    histograms: Mapping[str, Histogram] = field(default_factory=dict)

    @property
    def drifted(self) -> bool:
        """Whether the whole has drifted; also False where that cannot be told."""
        return self.verdict == "drifted"

    def of(self, *subjects: Subject) -> tuple[Score, ...]:
        """The scores about one of ``subjects``."""
        return tuple(score for score in self.scores if score.subject in subjects)


def judge(
    scores: Sequence[Score], share: float, deciding: Sequence[str]
) -> tuple[Verdict, str, str]:
    """The verdict of the whole, why, and the rule.

    What was not computed counts neither way: the verdict is that on which all its possible
    outcomes agree, and else ``cannot tell``. Performance that could not be computed, for labels
    come late, leaves the verdict to the others.

    Args:
        scores: all of them.
        share: of the watched inputs that have to have drifted.
        deciding: inputs that decide alone, as predictions do.
    """
    inputs = [s for s in scores if s.subject == "input" and s.watched]
    alone = [s for s in inputs if s.column in deciding]
    alone += [s for s in scores if s.subject == "prediction" and s.watched]
    alone += [s for s in scores if s.subject == "performance" and s.drifted is not None]
    drifted = [s for s in inputs if s.drifted]
    unknown = [s for s in inputs if s.drifted is None]
    needed = max(1, math.ceil(share * len(inputs) - 1e-9))
    rule = _rule(share, needed, len(inputs), alone)
    decided = [s for s in alone if s.drifted]
    undecided = [s for s in alone if s.drifted is None]
    counted = f"{len(drifted)} of {len(inputs)} inputs drifted"
    if inputs and len(drifted) >= needed:
        return "drifted", f"{counted}: {_named(drifted)}", rule
    if decided:
        return "drifted", f"{_named(decided)} drifted; {counted}", rule
    if undecided:
        return "cannot tell", f"{_named(undecided)} not computed; {counted}", rule
    if not inputs and not alone:
        return "cannot tell", "nothing is watched", rule
    if inputs and len(drifted) + len(unknown) >= needed:
        return "cannot tell", f"{counted}, {len(unknown)} not computed: {_named(unknown)}", rule
    return "not drifted", counted + (f": {_named(drifted)}" if drifted else ""), rule


def _rule(share: float, needed: int, inputs: int, alone: Sequence[Score]) -> str:
    parts = [f"{needed} of {inputs} inputs have (share {share:g})"] if inputs else []
    parts += [f"any of these has: {_named(alone)}"] if alone else []
    return f"drifted if {', or '.join(parts)}" if parts else "nothing is watched"


def _named(scores: Sequence[Score], most: int = 5) -> str:
    names = list(
        dict.fromkeys(
            f"{s.method} of {s.column}" if s.subject == "performance" else s.column for s in scores
        )
    )
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
