"""The two views of a run in progress."""

from __future__ import annotations

import io
import re
import sys

import pytest

from stackyard.cli.progress import LineView, LiveView, open_progress, step_line
from stackyard.components.orchestrator import StepEvent
from tests.e2e.background import until


def test_a_pipe_gets_a_line_per_ended_step(capsys):
    with open_progress(["load", "evaluate"]) as watch:
        assert isinstance(watch, LineView)
        watch(StepEvent("load", "running"))
        watch(StepEvent("load", "succeeded", seconds=1.2, text="code changed"))
        watch(StepEvent("evaluate", "retrying", seconds=0.5, text="ValueError: a\nb"))
        watch(StepEvent("evaluate", "failed", attempt=2, seconds=0.5, log=["x\x1b[0m", "y"]))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "load      succeeded  1.2s",
        "evaluate  retrying   500ms  ValueError: a\\nb",
        "evaluate  failed     500ms  attempt 2",
        "    x\\x1b[0m",
        "    y",
    ]


def test_why_is_told_on_request():
    event = StepEvent("load", "cached", seconds=0.003, text="nothing changed")
    assert step_line(event) == "load  cached"
    assert step_line(event, why=True) == "load  cached     nothing changed"


def test_a_pipe_does_not_import_rich():
    import subprocess

    code = (
        "import sys; from stackyard.cli.progress import open_progress\n"
        "from stackyard.components.orchestrator import StepEvent\n"
        "with open_progress() as w: w(StepEvent('a', 'succeeded', seconds=1))\n"
        "assert 'rich' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "a  succeeded  1.0s\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_sees_every_step_and_the_failing_log(monkeypatch):
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stderr", terminal)
    with open_progress(["load", "train"]) as watch:
        assert isinstance(watch, LiveView)
        watch(StepEvent("load", "cached", seconds=0.003, text="nothing [red]changed"))
        watch(StepEvent("train", "running"))
        watch(StepEvent("train", "failed", seconds=2.0, text="E: x", log=["line 1", "line 2"]))
    text = terminal.getvalue()
    last = text[text.rindex("load") :]
    assert "nothing [red]changed" in last  # text of steps is data, never markup
    assert "failed" in last
    assert "2.0s" in last
    assert last.endswith("last lines of step train:\n    line 1\n    line 2\n")


def test_the_view_keeps_its_terminal_while_a_step_captures_standard_error(monkeypatch):
    from stackyard.capture import Capture

    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stderr", terminal)
    with open_progress(["train"]) as watch, Capture(through=False) as capture:
        watch(StepEvent("train", "running"))
        until(lambda: "running" in terminal.getvalue())
    assert capture.text == ""


def test_what_was_running_when_the_run_ended_was_interrupted(monkeypatch):
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stderr", terminal)
    with open_progress(["train", "report"]) as watch:
        watch(StepEvent("train", "running"))
    text = terminal.getvalue()
    train, report = text.rindex("train"), text.rindex("report")
    assert "interrupted" in text[train:report]
    assert "skipped" in text[report:]
    assert "waiting" not in text[train:]


@pytest.mark.parametrize("term", ["xterm-256color", "dumb"])
def test_stopping_is_told_while_a_step_captures_standard_error(monkeypatch, term):
    from stackyard.capture import Capture

    terminal = Terminal()
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys, "stderr", terminal)
    with open_progress(["train"]) as watch:
        watch(StepEvent("train", "running"))
        with Capture(through=False) as capture:
            watch.stopping()
            until(lambda: "stopping; Ctrl-C again leaves at once" in terminal.getvalue())
        watch(StepEvent("train", "interrupted"))
    assert capture.text == ""
    text = terminal.getvalue()
    if term == "dumb":
        assert text.splitlines()[1:] == ["train  interrupted"]
    else:
        assert "stopping" not in text[text.rindex("train") :]  # the last picture


def test_no_color_switches_off_colour_and_nothing_else(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    with open_progress(["train"]) as watch:
        assert isinstance(watch, LiveView)
        watch(StepEvent("train", "failed"))
    assert "train" in terminal.getvalue()
    assert not re.search(r"\x1b\[[\d;]*3\d[;m]", terminal.getvalue())
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(open_progress(), LineView)
