"""What Airflow answers, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TaskState:
    """One task of a DAG run. ``state`` is Airflow's word, None before it is scheduled.

    ``started`` is the ISO time at which its last try began.
    """

    task_id: str
    state: str | None
    try_number: int
    seconds: float | None
    started: str = ""


@dataclass(frozen=True)
class DagInfo:
    """A DAG as Airflow has parsed it. ``parsed`` is the ISO time of the last parse."""

    dag_id: str
    paused: bool
    doc: str
    parsed: str
    broken: bool
    file_token: str = ""


@dataclass(frozen=True)
class LogLine:
    """A line of a task's log: ``printed`` by the command that the task ran, or Airflow's own.

    ``raised`` is the type and the message of an exception that Airflow reports with the line.
    """

    text: str
    printed: bool = False
    level: str = "info"
    raised: tuple[str, str] | None = None


def log_line(entry: Mapping[str, Any]) -> LogLine:
    """One entry of a structured log."""
    details = entry.get("error_detail") or [{}]
    kind, text = str(entry.get("level", "info")), str(entry.get("event", ""))
    exception = details[0].get("exc_type")
    raised = (str(exception), str(details[0].get("exc_value", ""))) if exception else None
    hook = str(entry.get("logger", "")).endswith("SubprocessHook")
    printed = hook or entry.get("filename") == "subprocess.py"  # all that Airflow 3.1 tells
    return LogLine(text, printed, kind, raised)
