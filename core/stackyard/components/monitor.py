"""The monitor kind: has what a model is given, what it says or how good it is moved away."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from stackyard.components.base import Component
from stackyard.components.monitor_report import (
    Direction,
    Histogram,
    MonitorReport,
    Score,
    Side,
    Subject,
    Verdict,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Column", "Direction", "Figure", "Histogram", "Kind", "Method", "Monitor", "MonitorReport",
    "Score", "Side", "Subject", "Task", "Verdict", "Watch",
]  # fmt: skip

Kind: TypeAlias = Literal["number", "category", "identifier", "time"]
Task: TypeAlias = Literal["number", "class", "probability"]


@dataclass(frozen=True)
class Watch:
    """What is watched, and from where on it has drifted.

    Attributes:
        inputs: The columns that the model is given; by default all of the reference that are named
            nowhere else here.
        predictions: The columns with what it answered. Each decides alone.
        label: The column with the truth, where there is one: performance is watched.
        ignore: Columns that are not looked at.
        time: The column with moments, which says the window; without it the index's level
            ``time``, if that holds moments.
        deciding: Inputs of which each decides alone.
        share: Of the inputs that have to have drifted.
        minimum: How many values a column needs on either side.
        margin: How much more of a column's rows may be missing, and of its values new or out of
            range, and by which share of itself performance may be worse, beyond what is by chance.
        number: The method for columns of numbers; by default the monitor's choice.
        category: The same for the others.
        methods: Method by column. A column that is named here, decides or is a prediction is
            compared even if its values look like identifiers.
        thresholds: Threshold by column, of which ``methods`` says the method, or by method; a
            column's own counts first.
    """

    inputs: tuple[str, ...] = ()
    predictions: tuple[str, ...] = ()
    label: str = ""
    ignore: tuple[str, ...] = ()
    time: str = ""
    deciding: tuple[str, ...] = ()
    share: float = 0.5
    minimum: int = 100
    margin: float = 0.05
    number: str = ""
    category: str = ""
    methods: Mapping[str, str] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """A way to score drift.

    Attributes:
        name: As a watch names it.
        kinds: Of columns that it can compare: ``number``, ``category``.
        direction: On which side of the threshold there is drift: ``below`` for p-values.
        threshold: Where drift begins, unless the watch says otherwise.
    """

    name: str
    kinds: tuple[Kind, ...]
    direction: Direction
    threshold: float


@dataclass(frozen=True)
class Column:
    """A column that is in both frames, as a monitor gets it.

    Numbers are float64 with NaN for what is missing or infinite; any other kind is text, and None
    where it is missing. ``method`` is empty where the monitor chooses.
    """

    name: str
    kind: Kind
    method: str = ""


@dataclass(frozen=True)
class Figure:
    """A figure of quality or performance on both sides; ``worse`` says which direction is bad."""

    column: str
    method: str
    current: float
    reference: float
    worse: Direction

    def held(self, subject: Subject, threshold: float) -> Score:
        """The score that it comes to."""
        if not (math.isfinite(self.current) and math.isfinite(self.reference)):
            why = f"{self.method} gave no number"
            return Score(self.column, subject, self.method, not_computed=why)
        return Score(
            self.column, subject, self.method, self.current, threshold, self.worse, self.reference
        )


class Monitor(Component):
    """Contract of a monitor. Capabilities: ``quality``, ``performance``, ``html``.

    ``compare`` is what a step calls. It decides which columns can be compared at all, and what
    their scores come to; so a monitor only computes, on columns that hold enough values of one kind
    on both sides.
    """

    kind: ClassVar[str] = "monitor"
    optional: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "quality": ("quality",),
        "performance": ("performance",),
        "html": ("html",),
    }

    def compare(
        self, current: pd.DataFrame, reference: pd.DataFrame, watch: Watch | None = None
    ) -> MonitorReport:
        """Hold ``current`` against ``reference`` and note the report in the step's record.

        A column that cannot be compared says why and stops no other; where too little could be, the
        verdict is ``cannot tell``. The frames are not changed.

        Raises:
            InvalidInput: the watch names columns, methods or numbers that cannot be (all are named
                at once), or a frame has two columns of one name.
        """
        from stackyard.components.monitor_screen import compare

        report = compare(self, current, reference, watch or Watch())
        self.note(report)
        return report

    def page(
        self, current: pd.DataFrame, reference: pd.DataFrame, watch: Watch | None = None
    ) -> str:
        """The tool's own report of the same comparison, as HTML (capability ``html``).

        Raises:
            InvalidInput: as ``compare``, or no column can be compared.
        """
        self.require("html")
        from stackyard.components.monitor_screen import page

        return page(self, current, reference, watch or Watch())

    @abstractmethod
    def methods(self) -> Sequence[Method]:
        """The ways to score drift that a watch may name."""

    @abstractmethod
    def drift(
        self,
        current: pd.DataFrame,
        reference: pd.DataFrame,
        columns: Sequence[Column],
        thresholds: Mapping[str, float],
    ) -> Mapping[str, tuple[str, float] | str]:
        """Score each column, of kind ``number`` or ``category``.

        Args:
            current: holds the columns.
            reference: likewise.
            columns: of which each has the watch's minimum of values on both sides.
            thresholds: as the watch says, by column or method; for what is shown in a tool's page.

        Returns:
            By column the name of the method and the score, or why there is none.
        """

    def quality(
        self, current: pd.DataFrame, reference: pd.DataFrame, columns: Sequence[Column]
    ) -> Sequence[Figure]:
        """Figures of each column that are shares (capability ``quality``).

        ``share missing`` of every column's rows, and of the values that are there ``share out of
        range`` of numbers and ``share new`` of categories, both beside those of the reference.
        """
        self.require("quality")
        raise NotImplementedError

    def performance(
        self,
        current: pd.DataFrame,
        reference: pd.DataFrame,
        label: str,
        prediction: str,
        task: Task,
    ) -> Sequence[Figure]:
        """Figures of how good predictions are (capability ``performance``).

        Args:
            current: a column of labels and one of answers, no value of them missing.
            reference: likewise.
            label: the column with the truth.
            prediction: the column with the answers.
            task: ``number``: both are numbers; ``class``: both are text; ``probability``: labels
                are the texts ``0`` and ``1``, and answers are probabilities of ``1``.
        """
        self.require("performance")
        raise NotImplementedError

    def html(
        self,
        current: pd.DataFrame,
        reference: pd.DataFrame,
        columns: Sequence[Column],
        thresholds: Mapping[str, float],
    ) -> str:
        """The tool's own page on what ``drift`` scores (capability ``html``)."""
        self.require("html")
        raise NotImplementedError


def method_named(methods: Sequence[Method], name: str) -> Method:
    """The method of that name, which is among them."""
    return next(method for method in methods if method.name == name)


def threshold_of(column: str, method: Method, thresholds: Mapping[str, float]) -> float:
    """Where drift of a column begins: its own threshold, its method's, or the usual one."""
    return thresholds.get(column, thresholds.get(method.name, method.threshold))
