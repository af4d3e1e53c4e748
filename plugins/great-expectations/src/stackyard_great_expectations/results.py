"""What the tool found, as checks of a report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stackyard.components.suite_check import no_column
from stackyard.components.validator import Check, Expectation
from stackyard_great_expectations.vocabulary import columns

# What these observe is of the column as a whole; what any other observes may be a value of a row.
_OF_COLUMNS = (
    "expect_table_", "_mean_", "_stdev_", "_sum_", "_of_type", "_in_type_list", "null_count",
    "unique_value_count", "proportion_of_unique", "proportion_of_non_null",
)  # fmt: skip
# What the tool says of an expectation that cannot be checked, where it holds no value of a row.
_HARMLESS = (
    "Column values, min_value, and max_value must either be None or of the same type",
    "Invalid comparison between dtype=",
    "No provider found for",
    "PandasExecutionEngine does not",
    "min_value cannot be greater than max_value",
)
_ABOUT_NULLS = ("expect_column_values_to_be_null", "expect_column_values_to_not_be_null")


def absent(one: Expectation, types: Mapping[str, str]) -> Check | None:
    """The check of an expectation whose column is missing; None if it can be asked."""
    for name in columns(one):
        if name not in types:
            return check(one, "error", message=no_column(name, types))
    return None


def found(one: Expectation, result: Any, types: Mapping[str, str], examples: int) -> Check:
    """The check of an expectation that was asked; ``result`` may be what the tool raised."""
    if isinstance(result, Exception):
        said = {"exception_message": str(result)}
        return check(one, "error", message=_failure(one, said, types, examples))
    raised = _raised(result.exception_info or {})
    if raised is not None:
        return check(one, "error", message=_failure(one, raised, types, examples))
    if result.success:
        return check(one, "pass", **_counts(one, result.result))
    facts = result.result
    shown = tuple(str(value) for value in (facts.get("partial_unexpected_list") or ())[:examples])
    if one.type in _ABOUT_NULLS[1:]:
        shown = ()
    message = _message(one, facts, types, examples)
    return check(one, "fail", message=message, examples=shown, **_counts(one, facts))


def check(one: Expectation, verdict: Any, **more: Any) -> Check:
    """A check of ``one``."""
    of = ", ".join(columns(one)) or str(one.kwargs.get("column", ""))
    return Check(one.type, verdict, one.severity, of, kwargs=dict(one.kwargs), **more)


def _counts(one: Expectation, facts: Mapping[str, Any]) -> dict[str, int]:
    """Rows that are not as expected of those that were looked at."""
    if facts.get("element_count") is None or facts.get("unexpected_count") is None:
        return {}
    ignored = 0 if one.type in _ABOUT_NULLS else int(facts.get("missing_count") or 0)
    total = int(facts["element_count"]) - ignored
    return {"unexpected": int(facts["unexpected_count"]), "total": total}


def _message(
    one: Expectation, facts: Mapping[str, Any], types: Mapping[str, str], examples: int
) -> str:
    """What was observed; values of rows only if asked for."""
    if one.type == "expect_column_to_exist" and one.kwargs.get("column") not in types:
        return no_column(one.kwargs.get("column"), types)
    mismatched = (facts.get("details") or {}).get("mismatched")
    if isinstance(mismatched, Mapping):
        parts = [f"{what} columns: {_listed(names)}" for what, names in mismatched.items() if names]
        return "; ".join(parts)
    observed = facts.get("observed_value")
    if isinstance(observed, Mapping):  # quantiles
        observed = observed.get("values")
    if "element_count" in facts:
        return ""
    if observed is None:  # expectations of the set of values count values, not rows
        counted = {"not expected": "unexpected_count", "missing": "missing_count"}
        parts = [
            f"{facts[key]} values are {what}" for what, key in counted.items() if facts.get(key)
        ]
        return "; ".join(parts)
    if not examples and not any(part in one.type for part in _OF_COLUMNS):
        return "it observes values of rows; examples=1 shows them"
    low, high = (one.kwargs.get(name) for name in ("min_value", "max_value"))
    said = f"observed {_bound(observed)}"
    bounded = low is not None or high is not None
    return f"{said}, expected {_bound(low)} to {_bound(high)}" if bounded else said


def _bound(value: Any) -> str:
    if value is None:
        return "any"
    if isinstance(value, list):
        return ", ".join(map(_bound, value))
    return f"{float(value):.6g}" if isinstance(value, float) else str(value)


def _listed(names: Any) -> str:
    return ", ".join(map(str, list(names)[:10])) + (", ..." if len(names) > 10 else "")


def _raised(info: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The first exception: the tool tells of one at the top, or below names of metrics."""
    for one in (info, *info.values()):
        if isinstance(one, Mapping) and one.get("raised_exception"):
            return one
    return None


def _failure(
    one: Expectation, raised: Mapping[str, Any], types: Mapping[str, str], examples: int
) -> str:
    """Why it could not be checked; what the tool says may hold a value of a row."""
    of = " and ".join(f"{name!r} of type {types[name]}" for name in columns(one) if name in types)
    why = " ".join(str(raised.get("exception_message")).split())
    text = f"it cannot be checked{f' on {of}' if of else ''}"
    if examples or why.startswith(_HARMLESS):
        return f"{text}: {why}"
    return f"{text}; examples=1 shows what Great Expectations says"
