"""What is wrong with a suite, or with the frame that it is asked of, before anything is checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from stackyard.errors import InvalidInput, suggest

if TYPE_CHECKING:
    import pandas as pd

    from stackyard.components.validator import Expectation, Suite

__all__ = ["check_request", "no_column", "with_text_names"]

Route: TypeAlias = tuple[str | int, ...]  # keys and positions from the top

SEVERITIES = ("info", "warning", "critical")
_SUITE = ("name", "expectations")
_EXPECTATION = ("type", "kwargs", "severity", "notes")


def mistakes(suite: Any) -> Iterator[tuple[Route, str]]:
    """Where a suite written as plain data is not one, and why.

    The vocabulary of expectations is the validator's, which checks it when it is asked.
    """
    if not isinstance(suite, Mapping):
        yield (), "a suite is a mapping with 'name' and 'expectations'"
        return
    yield from _unknown(suite, _SUITE, (), "a suite")
    name = suite.get("name")
    if not (isinstance(name, str) and name.strip() and name.isprintable()):
        yield _at(suite, "name"), "'name' must be the suite's name, as text"
    listed = suite.get("expectations")
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        yield _at(suite, "expectations"), "'expectations' must be a list"
    elif not listed:
        yield ("expectations",), "the suite is empty, so it could not fail. List an expectation"
    else:
        for position, one in enumerate(listed):
            yield from _of_expectation(one, ("expectations", position))


def _of_expectation(one: Any, route: Route) -> Iterator[tuple[Route, str]]:
    if not isinstance(one, Mapping):
        yield route, "an expectation is a mapping with 'type' and 'kwargs'"
        return
    yield from _unknown(one, _EXPECTATION, route, "an expectation")
    if not (isinstance(one.get("type"), str) and one["type"]):
        yield (*route, *_at(one, "type")), "'type' must be the expectation's name, as text"
    kwargs = one.get("kwargs", {})
    if not isinstance(kwargs, Mapping) or not all(isinstance(key, str) for key in kwargs):
        yield (*route, "kwargs"), "'kwargs' must be a mapping of arguments"
    severity = one.get("severity", "critical")
    if severity not in SEVERITIES:
        near = suggest(severity, SEVERITIES) if isinstance(severity, str) else ""
        known = ", ".join(SEVERITIES)
        yield (*route, "severity"), f"unknown severity {severity!r}. Severities: {known}.{near}"
    if not isinstance(one.get("notes", ""), str):
        yield (*route, "notes"), "'notes' must be text"


def _unknown(
    given: Mapping[Any, Any], known: tuple[str, ...], route: Route, what: str
) -> Iterator[tuple[Route, str]]:
    for key in given:
        if key not in known:
            near = suggest(str(key), known)
            yield (*route, key), f"unknown key {key!r} in {what}. Keys: {', '.join(known)}.{near}"


def _at(given: Mapping[Any, Any], key: str) -> Route:
    return (key,) if key in given else ()


def written(route: Route) -> str:
    """A route for people: ``expectations[3].severity``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in route)
    return text.removeprefix(".")


def check_request(
    frame: pd.DataFrame,
    suite: Suite,
    known: Sequence[str],
    wrong: Callable[[Expectation], Iterable[str]],
) -> None:
    """Refuse what no validator could answer; for validators to call before they check anything.

    Args:
        frame: what is to be checked.
        suite: what is expected of it.
        known: types of expectations that there are.
        wrong: what is wrong with the arguments of an expectation of a known type.

    Raises:
        InvalidInput: everything that is wrong, at once.
    """
    found = []
    if not suite.expectations:
        found.append("the suite is empty, so it could not fail. List an expectation")
    if not len(frame):
        found.append("the frame has no rows, of which most expectations would hold")
    double = sorted({str(c) for c in frame.columns[frame.columns.duplicated()]})
    if double:
        found.append(f"the frame has more than one column {', '.join(map(repr, double))}")
    for position, one in enumerate(suite.expectations):
        where = f"expectations[{position}] {one.type}"
        if one.type not in known:
            near = suggest(one.type, tuple(known)) or f" It has {', '.join(known[:8])}, ..."
            found.append(f"{where}: the validator has no such expectation.{near}")
        else:
            found += [f"{where}: {text}" for text in wrong(one)]
    if found:
        raise InvalidInput(f"suite {suite.name!r}: {'; '.join(found)}")


def with_text_names(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with columns named by text, as suites name them: ``0`` becomes ``"0"``.

    For validators to call first. The frame that is given stays as it is.
    """
    names = [str(name) for name in frame.columns]
    if names == list(frame.columns):
        return frame
    renamed = frame.copy(deep=False)
    renamed.columns = names
    return renamed


def no_column(name: object, columns: Iterable[object]) -> str:
    """The message of a check whose column is not in the frame: names those that are near."""
    have = [str(column) for column in columns]
    near = suggest(str(name), have)
    shown = ", ".join(have[:10]) + (", ..." if len(have) > 10 else "")
    return f"the frame has no column {str(name)!r}.{near or f' Columns: {shown}'}"
