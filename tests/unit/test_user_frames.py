"""What a person is shown of the traceback of a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stackyard.errors import ParameterError
from stackyard.user_frames import tracebacks

LIBRARY: dict[str, Any] = {"__name__": "stackyard_acme.made", "Wrong": ParameterError}
TEXT = """
from contextlib import contextmanager

def caught(function):
    try:
        function()
    except BaseException as exc:
        return exc

def bug():
    {}["a bug"]

@contextmanager
def told():
    try:
        yield
    except KeyError as exc:
        raise Wrong("told") from exc

def wrong():
    with told():
        bug()
"""
exec(compile(TEXT, "library.py", "exec"), LIBRARY)


def of(function: Callable[[], object]) -> tuple[str | None, str | None]:
    """Both texts of what ``function`` raises when a library calls it, as it does a step."""
    return tracebacks(LIBRARY["caught"](function))


def mistaken() -> None:
    raise ValueError("mine")


def unlucky() -> None:
    LIBRARY["wrong"]()


def careful() -> None:
    try:
        unlucky()
    except ParameterError as exc:
        raise ValueError("mine") from exc


def test_a_mistake_of_the_user_is_shown_from_their_function_on() -> None:
    shown, whole = of(mistaken)
    assert shown is not None and whole is None
    assert "in mistaken\n" in shown and shown.endswith("ValueError: mine\n")
    assert "library.py" not in shown


def test_an_error_of_ours_is_shown_where_the_user_met_it() -> None:
    shown, whole = of(unlucky)
    assert shown is not None and whole is not None
    assert "in unlucky\n" in shown and shown.endswith("stackyard.errors.ParameterError: told\n")
    for hidden in ("library.py", "contextlib.py", "KeyError"):
        assert hidden not in shown and hidden in whole
    assert "in caught\n" not in whole


def test_an_error_of_ours_is_shortened_where_it_is_a_cause() -> None:
    shown, whole = of(careful)
    assert shown is not None and whole is not None
    assert "ParameterError: told" in shown and shown.endswith("ValueError: mine\n")
    assert "library.py" not in shown and "library.py" in whole


def test_an_error_of_ours_alone_needs_no_traceback() -> None:
    shown, whole = of(LIBRARY["wrong"])
    assert shown is None
    assert whole is not None and "KeyError: 'a bug'" in whole


def test_a_plain_error_of_ours_has_no_more_to_it() -> None:
    ours: dict[str, Any] = {"__name__": "stackyard.made", "Wrong": ParameterError}
    exec("def plain():\n    raise Wrong('told')", ours)
    with pytest.raises(ParameterError) as caught:
        ours["plain"]()
    trace = caught.value.__traceback__
    assert trace is not None
    assert tracebacks(caught.value.with_traceback(trace.tb_next)) == (None, None)


def test_a_long_chain_of_causes_is_told() -> None:
    error: Exception = ValueError("first")
    for number in range(3000):
        try:
            raise ValueError(number) from error
        except ValueError as exc:
            error = exc
    shown, whole = tracebacks(error)
    assert shown is not None and "ValueError: 2999" in shown and whole is None


def test_code_without_a_module_name_is_told() -> None:
    def nameless() -> None:
        exec("1 / 0", {"__name__": None})

    shown, _ = of(nameless)
    assert shown is not None and "ZeroDivisionError" in shown


def test_a_bug_of_ours_stays_whole() -> None:
    for function in (LIBRARY["bug"], lambda: LIBRARY["bug"]()):
        shown, whole = of(function)
        assert shown is not None and whole is None
        assert 'File "library.py", line 11, in bug' in shown
