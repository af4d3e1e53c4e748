"""What a step prints is kept, of very much of it the beginning and the end."""

from __future__ import annotations

import logging
import sys

import pytest

from stackyard import capture
from stackyard.capture import Capture


def test_what_is_printed_and_logged_is_kept_in_order() -> None:
    before = sys.stdout, sys.stderr
    with Capture(through=False) as kept:
        print("one")
        print("two", file=sys.stderr)
        logging.getLogger("mine").warning("three")
    assert kept.text == "one\ntwo\nWARNING mine: three\n"
    assert (sys.stdout, sys.stderr) == before


@pytest.mark.parametrize("size", [1, 3, 7, 10, 11, 40])
def test_the_middle_of_very_much_is_left_out(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it is cut into pieces, its last lines tell how the step ended."""
    monkeypatch.setattr(capture, "HALF", 10)
    text = "".join(chr(65 + i % 26) for i in range(40))
    with Capture(through=False) as kept:
        for start in range(0, 40, size):
            print(text[start : start + size], end="")
    begin, _, rest = kept.text.partition("\n... ")
    lost, _, end = rest.partition(" characters were not kept ...\n")
    assert begin == text[:10]
    assert text.endswith(end)
    assert 10 <= len(end) < 10 + size
    assert len(begin) + int(lost) + len(end) == 40


def test_what_fits_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "HALF", 10)
    with Capture(through=False) as kept:
        print("a" * 9)
        print("b" * 9)
    assert kept.text == "a" * 9 + "\n" + "b" * 9 + "\n"


def test_it_also_passes_through(capsys: pytest.CaptureFixture[str]) -> None:
    with Capture(through=True):
        print("seen")
    assert capsys.readouterr() == ("", "seen\n")
