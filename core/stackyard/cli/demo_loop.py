"""The second half of the demo: a model is served, its flights drift, and another one is learned."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from stackyard.cli import output
from stackyard.cli.demo_stages import LOCAL
from stackyard.gating.reasons import as_reason

if TYPE_CHECKING:
    from stackyard.cli.demo_stages import Stages
    from stackyard.components.server import Endpoint, Server
    from stackyard.project import Project
    from stackyard.run import Run

WEATHER, LEARN = "flight_features", "flight_delays"
MONITOR, ROLLOUT = "flight_monitor", "flight_rollout"
MODEL, ENDPOINT = "flight_delays", "flight-delays"
STAGES = 3
JULY = "2013-07"
FLIGHT = "flight.csv"  # the one that is asked about, in the project's folder


def champion(project: Project) -> str | None:
    """The version that is in use in this project."""
    from stackyard.stack import open_stack

    with closing(open_stack(project, LOCAL).component("registry", None)) as registry:
        found: str | None = registry.pointed(MODEL, "champion")
        return found


def show(stages: Stages, learned: Run, *, keep: bool) -> Run:
    """Serve what ``learned`` did, and see what July's flights lead to; gives what learned anew.

    The endpoint is stopped whatever happens; with ``keep`` it stays, where all went well.
    """
    with _endpoint(stages.project, keep=keep) as server:
        stages.begin("What was learned waits to be used: past a gate, it is served and promoted")
        output.say(f"   {as_reason(stages.answer(ROLLOUT)['gate'].report)}")
        while_it_lasts = "" if keep else " (until the demo ends; with --keep beyond that)"
        output.say(f"   served at {server.status(ENDPOINT).url}{while_it_lasts}")
        _ask(stages, server, learned)
        stages.begin("July: its weather, and what is served for its flights. Have they drifted?")
        stages.run(WEATHER, JULY)
        output.say(f"{MONITOR}: what is served for July, held against what was learned from")
        report = stages.run(MONITOR, JULY)["monitor"].report
        output.say(f"   {output.status(report.verdict, sys.stderr)}: {report.reason}")
        output.say(f"   rule: {report.rule}")
        stages.begin("The drift has a model learn from July: do gate and canary let it take over?")
        again = stages.answer(LEARN)
        second = stages.answer(ROLLOUT)
        for step in ("gate", "judge"):
            if any(s.name == step and s.outputs for s in second.summary.steps):
                output.say(f"   {as_reason(second[step].report)}")
        _versions(stages, server.status(ENDPOINT))
    return again


@contextmanager
def _endpoint(project: Project, *, keep: bool) -> Iterator[Server]:
    """The stack's server; what it serves is stopped again."""
    from stackyard.processes import uninterrupted
    from stackyard.stack import open_stack

    with closing(open_stack(project, LOCAL).component("server", None)) as server:
        kept = False
        try:
            yield server
            kept = keep
        finally:
            if not kept:
                with uninterrupted():
                    server.undeploy(ENDPOINT)
                output.say(f"   {ENDPOINT} is stopped")


def _ask(stages: Stages, server: Server, learned: Run) -> None:
    """Ask about one flight of the days that the model has not seen; also leave it in a file."""
    from stackyard.inference import PROBABILITY, decode_response, encode_request

    flights = learned["split"].test
    newark = flights[flights["origin"] == "EWR"].sort_values(["day", "sched_dep_time"])
    flight, number = newark.iloc[-1], newark.index[-1]
    row = learned["features"].test.loc[[number]].drop(columns="late")
    row.to_csv(stages.project.root / FLIGHT, index=False)
    answer: Any = server.predict(ENDPOINT, encode_request(row))
    chance = decode_response(answer)[PROBABILITY].iloc[0]
    hour, minute = divmod(int(flight["sched_dep_time"]), 100)
    output.say(
        f"   January's last flight from Newark, {flight['carrier']} {flight['flight']} to "
        f"{flight['dest']}, due to leave at {hour}:{minute:02} on {flight['day']} January:"
    )
    output.say(
        f"   {chance:.0%} likely to arrive more than 15 minutes late, says version "
        f"{answer['model_version']} (it came {flight['arr_delay']:.0f} minutes late)"
    )


def _versions(stages: Stages, endpoint: Endpoint) -> None:
    """Which versions there are, and who gets the requests."""
    from stackyard.stack import open_stack

    with closing(open_stack(stages.project, LOCAL).component("registry", None)) as registry:
        found = registry.list(MODEL)
    rows = []
    for version in found:
        share = endpoint.traffic.get(version.version)
        gets = "" if share is None else f"{share} %"
        if version.version == endpoint.previous:
            gets += ", ready for a rollback"
        rows.append((version.version, stages.period(version.run), ", ".join(version.aliases), gets))
    output.say()
    headers = (f"version of {MODEL}", "learned from", "aliases", "gets of the requests")
    for line in output.table_lines(rows, headers):
        output.say(line)
