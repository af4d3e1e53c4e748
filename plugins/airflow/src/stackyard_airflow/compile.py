"""From a graph to a DAG file: static text that imports Airflow and the standard library only.

Equal arguments give equal bytes; nothing of the machine that compiles goes in. Names are checked
against an allow-list, values are embedded as literals of plain data, and text of the user never
stands where Airflow's Jinja would read it as a template.
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from stackyard.errors import PipelineError
from stackyard.graph import Graph, Param, Step, check_name
from stackyard_airflow import literals, timing
from stackyard_airflow.options import Options

if TYPE_CHECKING:
    from jinja2 import Template

_REASON = "{{ dag_run.run_type.replace('scheduled', 'schedule') }}"
_EVENT = ".replace('asset_triggered', 'event')"
FORMAT = 1  # of the generated file; a new number where the file tells its steps something else
FINISH = "stackyard_finish"  # id of the task that closes the run's record
STACK_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
TAKEN = {  # names that the generated file uses itself
    "AirflowFailException", "Asset", "AssetOrTimeSchedule", "BashOperator",
    "CronDataIntervalTimetable", "DAG", "DOC", "GRAPH", "ImportError", "Param", "RUN_ENV",
    "ValueError", "ZoneInfo", "command", "dag", "datetime", "dict", "inputs", "isinstance",
    "json", "reference", "str", "timedelta",
}  # fmt: skip


@dataclass(frozen=True)
class Task:
    """One step as the template shows it; the strings after ``doc`` are source code."""

    name: str
    variable: str
    doc: str
    env: str
    settings: Sequence[tuple[str, str]]
    advice: str
    condition: str


def compile_graph(graph: Graph, options: Options, stack: str) -> dict[str, str]:
    """Return the DAG file of a pipeline for a stack: its name and its text.

    Raises:
        PipelineError: the pipeline uses a name or a schedule that Airflow cannot have.
    """
    _check(graph, stack)
    variables = _variables(graph)
    tasks = [_task(step, graph, options, variables) for step in graph.steps]
    digest = graph.digest()
    doc = (options.doc or graph.doc).strip()
    facts = f"Pipeline `{graph.name}` for stack `{stack}`, compiled from graph\n`{digest}`.\n"
    text = _template().render(
        graph=graph,
        stack=stack,
        format=FORMAT,
        digest=digest,
        options=options,
        doc=f"{doc}\n\n{facts}" if doc else facts,
        env=_run_env(graph, options),
        schedule=timing.schedule(graph),
        timetable=timing.timetable(graph),
        assets=bool(graph.on) or any(step.event for step in graph.steps),
        start=timing.start(graph),
        tags=list(dict.fromkeys(["stackyard", stack, *options.tags])),
        params=[(p.name, _param(p, told=bool(graph.on))) for p in graph.params],
        tasks=tasks,
        edges=_edges(graph, variables),
    )
    ast.parse(text)  # text that is no Python never leaves this function
    if any(len(line) > literals.WIDTH for line in text.splitlines()):
        text = f"# ruff: noqa: E501\n{text}"  # a value of the user is that long
    return {f"{graph.name}.py": text}


@cache
def _template() -> Template:
    from importlib.resources import files

    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        variable_start_string="<{",
        variable_end_string="}>",
        block_start_string="<%",
        block_end_string="%>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        autoescape=False,
    )
    environment.filters.update(
        block=literals.block,
        comment=literals.comment,
        literal=literals.literal,
        text=literals.text,
    )
    source = files("stackyard_airflow").joinpath("templates/pipeline.py.j2")
    return environment.from_string(source.read_text(encoding="utf-8"))


def _check(graph: Graph, stack: str) -> None:
    check_name(graph.name, "pipeline")
    if STACK_NAME.fullmatch(stack) is None:
        raise PipelineError(f"stack {stack!r}: use ASCII letters, digits, '_', '.' and '-'")
    for step in graph.steps:
        check_name(step.name, f"pipeline {graph.name!r}: step")
        if step.name == FINISH:
            raise PipelineError(
                f"pipeline {graph.name!r}: a step may not be called {FINISH!r}, which closes the "
                "run's record on Airflow; use .named(...)"
            )
    for param in graph.params:
        check_name(param.name, f"pipeline {graph.name!r}: parameter")
        if param.name == "stackyard":
            raise PipelineError(
                f"pipeline {graph.name!r}: a parameter may not be called 'stackyard', which "
                "carries what a run was asked for on Airflow"
            )
        if param.required and graph.schedule is not None:
            raise PipelineError(
                f"pipeline {graph.name!r}: parameter {param.name!r} has no default, so Airflow "
                "cannot run it on a schedule. Give it a default, give it a value in the stack "
                f"(pipelines.{graph.name}.params), or say schedule: null there"
            )


def _variables(graph: Graph) -> dict[str, str]:
    """Step name to variable: the name itself unless Python or the file uses it."""
    steps = {s.name for s in graph.steps}
    variables: dict[str, str] = {}
    for step in graph.steps:
        name = step.name
        while (
            keyword.iskeyword(name)
            or name in TAKEN
            or name.startswith("__")
            or (name != step.name and (name in steps or name in variables.values()))
        ):
            name = f"step_{name}"
        variables[step.name] = name
    return variables


def _run_env(graph: Graph, options: Options) -> list[tuple[str, str]]:
    stated = {
        "STACKYARD_PYTHON": options.python,
        "STACKYARD_PROJECT": options.project,
        "STACKYARD_STORE": options.store,
        **options.env,
    }
    return [
        *((name, untemplated(value)) for name, value in stated.items() if value is not None),
        ("STACKYARD_RUN", "{{ run_id }}"),
        ("STACKYARD_TRY", "{{ ti.try_number }}"),
        ("STACKYARD_PARAMS", "{{ params | tojson }}"),
        ("STACKYARD_REASON", _REASON.replace(" }}", f"{_EVENT} }}}}") if graph.on else _REASON),
    ]


def untemplated(value: str) -> str:
    """Text that Airflow's templating turns back into ``value``.

    Braces would be read as a template, a value ending in .sh or .bash as the path of one, and line
    ends would be changed; such a value becomes one Jinja expression, a string literal.
    """
    if re.search(r"[{\r\n]|\.(sh|bash)$", value) is None:
        return value
    return "{{ " + ascii(value) + " }}"


def _param(param: Param, *, told: bool) -> str:
    """Source of a parameter; ``told``: an event may bring it, of which Airflow knows nothing."""
    schema = dict(param.schema)
    required = param.required and not told
    if not required and param.default is None:
        schema = _nullable(schema)
    arguments: list[tuple[str, Any]] = [] if required else [("", param.default)]
    own = {"default", "description", "schema", "source"}
    if all(k.isidentifier() and not keyword.iskeyword(k) and k not in own for k in schema):
        arguments += schema.items()
    else:
        arguments.append(("schema", schema))
    head = 8 + len(param.name) + len('"": ') + 1
    return literals.call("Param", arguments, indent=8, used=head)


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema that also allows null, which a default of None needs."""
    kinds = schema.get("type")
    if kinds is not None:
        listed = [kinds] if isinstance(kinds, str) else list(kinds)
        schema["type"] = listed if "null" in listed else [*listed, "null"]
    if "enum" in schema and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
    return schema


def _task(step: Step, graph: Graph, options: Options, variables: Mapping[str, str]) -> Task:
    said = step.options
    settings: list[tuple[str, str]] = []
    if any({*graph.step(up).when} - {*step.when} for up in step.upstream):
        settings.append(("trigger_rule", '"none_failed"'))  # what it joins may be skipped
    if said.retries:
        settings += [("retries", repr(said.retries)), ("retry_delay", _seconds(said.retry_delay))]
    if said.timeout is not None:
        settings.append(("execution_timeout", _seconds(said.timeout)))
    if step.event:
        settings.append(("outlets", f"[{timing.asset(step.event)}]"))
    for key, by_step in (
        ("pool", options.pool), ("pool_slots", options.pool_slots), ("queue", options.queue)
    ):  # fmt: skip
        if step.name in by_step:
            settings.append((key, literals.literal(by_step[step.name])))
    advice = [
        f"{literals.comment(str(k))}={literals.literal(v, used=-literals.WIDTH)}"
        for k, v in sorted(step.options.resources.items())
        if k not in ("pool_slots", "queue")
    ]
    return Task(
        name=step.name,
        variable=variables[step.name],
        doc=_summary(step.doc),
        env=_step_env(list(step.reads)),
        settings=settings,
        advice=" ".join(", ".join(advice).split()),
        condition=" and ".join(map(str, step.when)),
    )


def _step_env(reads: list[str]) -> str:
    if not reads:
        return "RUN_ENV"
    head, tail = '{**RUN_ENV, "STACKYARD_INPUTS": ', "},"
    flat = f"inputs({', '.join(map(literals.text, reads))})"
    if literals.fits(head + flat + tail, len("        env=")):
        return f"{head}{flat}}}"
    rows = "".join(f"                {literals.text(name)},\n" for name in reads)
    if literals.fits(flat + ",", len('            "STACKYARD_INPUTS": ')):
        call = flat
    else:
        call = f"inputs(\n{rows}            )"
    return f'{{\n            **RUN_ENV,\n            "STACKYARD_INPUTS": {call},\n        }}'


def _edges(graph: Graph, variables: Mapping[str, str]) -> list[tuple[str, str]]:
    """The steps before each step, and all steps before the end.

    Every step stands directly before the end: behind a failed step, a leaf counts as done while
    other steps still run.
    """
    waits = [(step.upstream, variables[step.name]) for step in graph.steps if step.upstream]
    waits.append((tuple(s.name for s in graph.steps), FINISH))
    shown = []
    for upstream, variable in waits:
        before = [variables[name] for name in upstream]
        used = 4 + len(f" >> {variable}")
        one = len(before) == 1
        shown.append((before[0] if one else literals.names(before, indent=4, used=used), variable))
    return shown


def _seconds(value: float) -> str:
    shown = repr(int(value)) if float(value).is_integer() else repr(float(value))
    return f"timedelta(seconds={shown})"


def _summary(doc: str) -> str:
    """The first line of a docstring, shortened to fit its line in the file."""
    line = " ".join(doc.strip().partition("\n")[0].split())
    room = literals.WIDTH - len("        doc_md=,")
    while len(literals.text(line)) > room:
        line = line[:-2].rstrip("…").rstrip() + "…"
    return line
