"""When a DAG runs, as source code of the generated file."""

from __future__ import annotations

from datetime import datetime

from stackyard.errors import PipelineError
from stackyard.graph import Graph
from stackyard_airflow import literals

PRESETS = {
    "@hourly": "@hourly",
    "@daily": "@daily",
    "@midnight": "@daily",
    "@weekly": "@weekly",
    "@monthly": "@monthly",
    "@quarterly": "@quarterly",
    "@yearly": "@yearly",
    "@annually": "@yearly",
}


def schedule(graph: Graph) -> str | None:
    """Source of what starts the DAG: time, an event, both, or None.

    Raises:
        PipelineError: Airflow cannot have the schedule.
    """
    by_time = timetable(graph)
    if not graph.on:
        return by_time
    if by_time is None:
        return f"[{asset(graph.on)}]"
    inner = " " * 8
    rows = (f"timetable={by_time}", f"assets=[{asset(graph.on)}]")
    return "".join(["AssetOrTimeSchedule(\n", *(f"{inner}{row},\n" for row in rows), "    )"])


def asset(event: str) -> str:
    """Source of the asset that stands for an event: the same in whoever tells it and who waits."""
    return f"Asset({literals.text(event)}, {literals.text(f'stackyard://events/{event}')})"


def timetable(graph: Graph) -> str | None:
    """Source of the timetable, None where nothing is scheduled.

    Raises:
        PipelineError: Airflow cannot have the schedule.
    """
    if graph.schedule is None:
        return None
    expression = PRESETS.get(graph.schedule, graph.schedule)
    if expression not in PRESETS and len(expression.split()) != 5:
        raise PipelineError(
            f"pipeline {graph.name!r}: schedule {graph.schedule!r}: Airflow takes a cron "
            f"expression of five fields or one of {', '.join(PRESETS)}"
        )
    if graph.start is None:
        raise PipelineError(
            f"pipeline {graph.name!r} has a schedule and no start: @pipeline(start='2026-01-01')"
        )
    arguments = [("", expression), ("timezone", graph.timezone)]
    head = len("    schedule=") + 1
    return literals.call("CronDataIntervalTimetable", arguments, indent=4, used=head)


def start(graph: Graph) -> str | None:
    """Source of the start, in the pipeline's time zone, which becomes that of the DAG.

    Raises:
        PipelineError: the start or the time zone cannot be understood.
    """
    if graph.start is None:
        return None
    from zoneinfo import ZoneInfo

    try:
        zone = ZoneInfo(graph.timezone)
        moment = datetime.fromisoformat(graph.start)
    except (ValueError, OSError) as exc:  # ZoneInfoNotFoundError is a KeyError, see below
        raise PipelineError(f"pipeline {graph.name!r}: start or timezone: {exc}") from exc
    except KeyError as exc:
        raise PipelineError(
            f"pipeline {graph.name!r}: there is no time zone {graph.timezone!r}"
        ) from exc
    if moment.tzinfo is not None:
        moment = moment.astimezone(zone)
    parts = [moment.year, moment.month, moment.day]
    if moment.hour or moment.minute or moment.second:
        parts += [moment.hour, moment.minute, moment.second]
    shown = ", ".join(map(str, parts))
    return f"datetime({shown}, tzinfo=ZoneInfo({literals.text(graph.timezone)}))"
