"""What a run rests on and what it changed, from its journals: data, gates, drift, rollouts..."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stackyard.components.data_versioner import DataVersion
from stackyard.components.feature_store import FeaturesUsed
from stackyard.components.monitor_report import MonitorReport
from stackyard.components.rollout import RolloutChange
from stackyard.components.validator import Check, ValidationReport
from stackyard.display import plural, size
from stackyard.gating import trial_report as trials
from stackyard.gating.report import GateReport, summary
from stackyard.gating.trial_report import TrialReport
from stackyard.store.events import TriggerDecision

if TYPE_CHECKING:
    from stackyard.store.records import AttemptRecord


@dataclass(frozen=True)
class Evidence:
    """One thing that a step's result rests on.

    Attributes:
        kind: ``data``, ``features``, ``validation``, ``gate``, ``drift``, ``trigger``, ``trial`` or
            ``rollout``.
        name: of the dataset, feature view, suite, event, endpoint, or the step of a gate or a
            comparison.
        value: the data version, the digest of the view's definition, ``passed`` or ``failed``, what
            the gate or the judge decided, the verdict about drift, whether the event was told, or
            the version and what was done with it.
        text: more, for people.
        step: the step that had it.
        component: the component that gave it, e.g. ``data_versioner``.
    """

    kind: str
    name: str
    value: str
    text: str
    step: str
    component: str


def evidence(attempts: Iterable[AttemptRecord]) -> tuple[Evidence, ...]:
    """Read the journals of ``attempts``, the last one of each step; each thing once a step."""
    found = (one for attempt in attempts for one in _of(attempt))
    return tuple(dict.fromkeys(found))


def tags(attempts: Iterable[AttemptRecord]) -> dict[str, str]:
    """The same as labels for a tracker: ``data.flights``, ``features.weather``, ...

    Where steps differ, all values are there; of a suite that failed anywhere, ``failed``.
    """
    found: dict[str, list[str]] = {}
    for one in evidence(attempts):
        values = found.setdefault(f"{one.kind}.{one.name}", [])
        if one.value not in values:
            values.append(one.value)
    return {n: "failed" if "failed" in values else ", ".join(values) for n, values in found.items()}


def _of(attempt: AttemptRecord) -> Iterator[Evidence]:
    for row in attempt.journal:
        kind = _KINDS.get(str(row.get("type")))
        if kind is None:
            continue
        value = noted(row, kind[0])
        for what, name, said, text in kind[1](value) if value is not None else ():
            component = str(row.get("component", ""))
            yield Evidence(what, name or attempt.step, said, text, attempt.step, component)


def noted(row: Mapping[str, Any], cls: type[Any]) -> Any:
    """The value of a class that an entry of a journal holds; None where it is of another one."""
    import msgspec

    if row.get("type") != cls.__name__:
        return None

    fields = {name: value for name, value in row.items() if name not in ("type", "component")}
    try:
        return msgspec.convert(fields, cls, strict=False)
    except msgspec.ValidationError:  # a class of that name which is not ours
        return None


def _data(version: DataVersion) -> Iterator[tuple[str, str, str, str]]:
    text = f"{plural(version.files, 'file')}, {size(version.size)}"
    yield "data", version.name, version.id, text


def _features(used: FeaturesUsed) -> Iterator[tuple[str, str, str, str]]:
    for view, digest in used.views.items():
        counted: dict[int | None, list[str]] = {}
        for text in used.features:
            name, _, feature = text.partition(":")
            if name == view:
                counted.setdefault(used.known.get(text), []).append(feature)
        said = [", ".join(names) + _known(count, used.rows) for count, names in counted.items()]
        yield "features", view, digest, "; ".join(said)


def _known(count: int | None, rows: int) -> str:
    return "" if count is None else f" known in {count:,} of {plural(rows, 'row')}"


def _validation(report: ValidationReport) -> Iterator[tuple[str, str, str, str]]:
    wrong = report.of("fail", "error")
    sound = len(report.of("pass"))
    text = f"{sound} of {len(report.checks)} expectations hold on {plural(report.rows, 'row')}"
    if wrong:
        text += f"; not: {'; '.join(map(_named, wrong[:5]))}"
        text += f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
    yield "validation", report.suite, "passed" if report.passed else "failed", text


def _gate(report: GateReport) -> Iterator[tuple[str, str, str, str]]:
    yield "gate", "", report.outcome, summary(report).partition(f"{report.outcome}: ")[2]


def _trigger(decision: TriggerDecision) -> Iterator[tuple[str, str, str, str]]:
    yield "trigger", decision.event, "told" if decision.told else "not told", decision.reason


def _drift(report: MonitorReport) -> Iterator[tuple[str, str, str, str]]:
    text = f"{report.reason}; {report.current.rows:,} beside {plural(report.reference.rows, 'row')}"
    yield "drift", "", report.verdict, text


def _trial(report: TrialReport) -> Iterator[tuple[str, str, str, str]]:
    yield "trial", report.endpoint, report.outcome, trials.summary(report)


def _rollout(change: RolloutChange) -> Iterator[tuple[str, str, str, str]]:
    shares = ", ".join(f"{version} {share} %" for version, share in change.traffic.items())
    text = f"{shares}; {change.why}" if change.why else shares
    yield "rollout", change.name, f"{change.version} {change.change}", text


def _named(check: Check) -> str:
    of = f"{check.expectation}({check.column})" if check.column else check.expectation
    return of if check.severity == "critical" else f"{of} ({check.severity})"


_KINDS: dict[str, tuple[type[Any], Callable[[Any], Iterator[tuple[str, str, str, str]]]]] = {
    "DataVersion": (DataVersion, _data),
    "FeaturesUsed": (FeaturesUsed, _features),
    "ValidationReport": (ValidationReport, _validation),
    "GateReport": (GateReport, _gate),
    "TriggerDecision": (TriggerDecision, _trigger),
    "MonitorReport": (MonitorReport, _drift),
    "TrialReport": (TrialReport, _trial),
    "RolloutChange": (RolloutChange, _rollout),
}
