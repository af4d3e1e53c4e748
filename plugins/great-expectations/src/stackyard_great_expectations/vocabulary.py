"""The expectations that there are, and what is wrong with the arguments of one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stackyard.components.validator import Expectation
from stackyard.errors import suggest

_NOT_FOR_FRAMES = {"unexpected_rows_expectation"}  # asks in SQL
# What every expectation of the tool takes that is not an argument of what is expected.
_RESERVED = {
    "batch_id", "catch_exceptions", "description", "id", "meta", "notes", "rendered_content",
    "result_format", "severity", "windows",
}  # fmt: skip
# They are text that pandas evaluates, which can call anything.
_EVALUATED = ("row_condition", "condition_parser")
_COLUMNS = ("column", "column_A", "column_B")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def known() -> Sequence[str]:
    """Types of expectations, those of the user's own that are imported among them."""
    from great_expectations.expectations import registry

    found = set(registry.list_registered_expectation_implementations())
    return tuple(sorted(found - _NOT_FOR_FRAMES))


def arguments(kind: str) -> Sequence[str]:
    """Names of the arguments of an expectation."""
    from great_expectations.expectations import registry

    return sorted(set(registry.get_expectation_impl(kind).__fields__) - {*_RESERVED, *_EVALUATED})


def wrong(one: Expectation) -> Iterator[str]:
    """What is wrong with the arguments of an expectation of a known type."""
    evaluated = [name for name in _EVALUATED if name in one.kwargs]
    if evaluated:
        yield (
            f"{evaluated[0]!r} is evaluated as code, which a suite may not hold. Select the rows "
            "in a step, and validate what it returns"
        )
        return
    names = arguments(one.type)
    for name, value in one.kwargs.items():
        if name not in names:
            near = suggest(name, tuple(names))
            yield f"unknown argument {name!r}. Arguments: {', '.join(names)}.{near}"
        elif isinstance(value, Mapping) and "$PARAMETER" in value:
            yield f"{name!r} is a parameter of Great Expectations. Write the value itself"
        elif "regex" in name:
            yield from _no_regex(name, value)
    given = {name: value for name, value in one.kwargs.items() if name in names}
    try:
        made(Expectation(one.type, given), 0)
    except ValueError as exc:
        yield from _said(exc)


def made(one: Expectation, position: int, types: Mapping[str, str] | None = None) -> Any:
    """The tool's own object; ``types`` are those of the frame's columns.

    Raises:
        ValueError: an argument is wrong.
    """
    from great_expectations.expectations import registry

    kwargs = dict(one.kwargs)
    if (types or {}).get(str(kwargs.get("column")), "").startswith("datetime64"):
        for name in ("min_value", "max_value"):
            # The tool makes a date of it, which pandas does not compare with a time.
            if isinstance(kwargs.get(name), str) and _DAY.fullmatch(kwargs[name]):
                kwargs[name] += "T00:00:00"
    # Results come in another order than that of the suite: each says where it belongs.
    return registry.get_expectation_impl(one.type)(
        **kwargs, severity=one.severity, meta={"position": position}
    )


def columns(one: Expectation) -> list[str]:
    """The columns that must be there for the expectation to be checked."""
    if one.type == "expect_column_to_exist" or one.type.startswith("expect_table_"):
        return []
    named = [one.kwargs[name] for name in _COLUMNS if name in one.kwargs]
    return [str(name) for name in [*named, *one.kwargs.get("column_list", ())]]


def _no_regex(name: str, value: Any) -> Iterator[str]:
    for text in [value] if isinstance(value, str) else value if isinstance(value, list) else []:
        try:
            re.compile(str(text))
        except re.error as exc:
            yield f"{name!r}: {text!r} is no regular expression: {exc}"


def _said(exc: ValueError) -> Iterator[str]:
    """The first complaint of each argument: the others are about its other types."""
    errors = getattr(exc, "errors", None)
    if errors is None:
        yield " ".join(str(exc).split())
        return
    seen = set()
    for error in errors():
        name = ".".join(str(part) for part in error["loc"] if part != "__root__")
        if name not in seen:
            seen.add(name)
            yield " ".join(f"{repr(name) + ': ' if name else ''}{error['msg']}".split())
