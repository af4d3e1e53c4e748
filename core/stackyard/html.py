"""One self-contained page of a run: no script, nothing loaded from anywhere, every text escaped."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from stackyard.display import seconds, size
from stackyard.drawing import draw
from stackyard.evidence import Evidence
from stackyard.html_cells import badge, code, link, plain, prose, spark, table, text
from stackyard.report import RunReport, StepReport
from stackyard.store.records import ArtifactRef, AttemptRecord

MARK = "<!-- stackyard run -->"  # by which a page of ours is known
WORD = 24  # letters of a cell that are kept together
_COLOURS = {
    "passed": "succeeded", "pass": "succeeded", "not drifted": "succeeded",
    "failed": "failed", "fail": "failed", "drifted": "failed",
    "inconclusive": "running", "cannot tell": "running",
}  # fmt: skip


def render(report: RunReport) -> str:
    """Return the page of a run."""
    run = report.run
    status = {s.step.name: s.status for s in report.steps}
    remark = {s.step.name: _remark(s) for s in report.steps}
    return filled(
        "run.html",
        title=escape(f"{run.pipeline} {run.run_id} {report.status}"),
        head=_head(report),
        alarms=_alarms(report),
        graph=draw(report.graph, status, remark),
        bars=_bars(report),
        metrics=_metrics(report),
        evidence=_evidence(report),
        steps="".join(_step(s) for s in report.steps),
        environment=_environment(report),
        footer=f"<code>stackyard runs show {run.run_id}</code>",
    )


def filled(name: str, **parts: str) -> str:
    """A template with its parts, which are ready HTML, and the style that all pages have."""
    folder = Path(__file__).with_name("templates")
    style = (folder / "style.css").read_text(encoding="utf-8")
    return Template((folder / name).read_text(encoding="utf-8")).substitute(parts, style=style)


def _head(report: RunReport) -> str:
    run = report.run
    started = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(run.started))
    why = [run.reason]
    if run.resume:
        why.append(f"continues {run.resume}")
    if run.only:
        why.append(f"only step {run.only}")
    if not run.cache:
        why.append("cache not read")
    facts = {
        "run": code(run.run_id),
        "stack": escape(f"{run.stack} ({run.orchestrator})"),
        "started": escape(started),
        "took": escape(seconds(report.seconds)),
        "by": escape(run.actor or "unknown"),
        "why it started": escape(", ".join(why)),
    }
    for name, value in run.params.items():
        facts[f"parameter {escape(name)}"] = code(plain(value))
    for instance, url in report.tracking.items():
        facts[escape(instance)] = link(url)
    cells = "".join(
        f"<div><span>{name}</span><b>{value}</b></div>" for name, value in facts.items()
    )
    return (
        f'<div class="head"><h1>{escape(run.pipeline)}</h1>{badge(report.status)}</div>'
        f'<div class="facts">{cells}</div>'
    )


def _alarms(report: RunReport) -> str:
    end = report.end
    alarms = []
    if end is not None and end.error:
        alarms.append(f'<div class="alarm">{escape(end.error)}</div>')
    if report.status == "interrupted":
        text = (
            "The run's process ended before the run did. What had finished is kept; continue with: "
        )
        resume = f"stackyard run {report.run.pipeline} --resume {report.run.run_id}"
        alarms.append(f'<div class="alarm">{text}{code(resume)}</div>')
    warnings = end.warnings if end is not None else ()
    alarms += [f'<div class="alarm soft">{escape(text)}</div>' for text in warnings]
    return "".join(alarms)


def _bars(report: RunReport) -> str:
    attempts = [a for s in report.steps for a in s.attempts]
    if not attempts:
        return '<p class="dim">No step has ended yet.</p>'
    began = min(a.started for a in attempts)
    whole = max(max(a.started + a.seconds for a in attempts) - began, 1e-3)
    rows = []
    for step in report.steps:
        bars = "".join(_bar(a, began, whole, lost=a is not step.last) for a in step.attempts)
        took = seconds(sum(a.seconds for a in step.attempts)) if _took(step) else ""
        rows.append(
            f'<span>{escape(step.step.name)}</span><div class="track">{bars}</div>'
            f'<span class="dim">{took}</span>'
        )
    return f'<div class="bars">{"".join(rows)}</div>'


def _bar(attempt: AttemptRecord, began: float, whole: float, *, lost: bool) -> str:
    left = 100 * (attempt.started - began) / whole
    width = 100 * attempt.seconds / whole
    title = f"attempt {attempt.attempt}: {attempt.status} in {seconds(attempt.seconds)}"
    return (
        f'<div class="bar s-{escape(attempt.status)}{" lost" if lost else ""}" title="{title}" '
        f'style="left:{min(left, 99.7):.2f}%;width:{width:.2f}%"></div>'
    )


def _evidence(report: RunReport) -> str:
    """Data versions, feature definitions, validation, gates and drift."""
    rows = [
        [_whole(e.kind), _whole(e.name), _outcome(e), _whole(e.step), text(e.text)]
        for e in report.evidence
    ]
    rows = [list(row) for row in dict.fromkeys(map(tuple, rows))]  # of two components, once
    if not rows:
        return ""
    headers = ["", "name", "version or outcome", "step", ""]
    return f"<h2>What it rests on</h2>{table(headers, rows)}"


def _whole(word: str) -> str:
    """A word in a cell that is not broken; one that is too long for that may be."""
    return f'<span class="whole">{text(word)}</span>' if len(word) <= WORD else text(word)


def _outcome(one: Evidence) -> str:
    if one.value in _COLOURS:
        return badge(_COLOURS[one.value], one.value)
    return f'<code title="{escape(one.value)}">{escape(one.value[:16])}</code>'


def _metrics(report: RunReport) -> str:
    """What steps logged: the last value of each metric, and settings and labels."""
    metrics, others = [], []
    for step in report.steps:
        journal = step.last.journal if step.last is not None else ()
        series: dict[str, list[Mapping[str, Any]]] = {}
        for row in journal:
            if row.get("type") == "LoggedMetric":
                series.setdefault(str(row["key"]), []).append(row)
        for key, rows in series.items():
            values = [float(r["value"]) for r in sorted(rows, key=lambda r: (r["step"], r["time"]))]
            metrics.append([text(key), text(step.step.name), f"{values[-1]:.6g}", spark(values)])
        for row in journal:
            if row.get("type") in ("LoggedParam", "LoggedTag"):
                others.append([text(row["key"]), text(step.step.name), text(row["value"])])
    parts = []
    if metrics:
        parts.append(table(["metric", "step", "#value", "over iterations"], metrics))
    if others:
        parts.append(table(["setting or label", "step", "value"], others))
    if not parts:
        return ""
    return f'<h2>Logged</h2><div class="columns">{"".join(f"<div>{p}</div>" for p in parts)}</div>'


def _step(report: StepReport) -> str:
    step, last = report.step, report.last
    why = last.why if last is not None else ""
    opened = " open" if report.status == "failed" else ""
    body = [f"<p>{prose(step.doc)}</p>"] if step.doc else []
    if last is None:
        body.append(f'<p class="dim">after {escape(", ".join(step.upstream)) or "nothing"}</p>')
    else:
        body.append(_attempt(report, last))
    return (
        f'<details class="step" id="step-{escape(step.name)}"{opened}><summary>'
        f'<b>{escape(step.name)}</b><span class="s-{escape(report.status)}">{escape(report.status)}'
        f'</span><span>{_took(report)}</span><span class="dim">{escape(why)}</span></summary>'
        f'<div class="body">{"".join(body)}</div></details>'
    )


def _attempt(report: StepReport, last: AttemptRecord) -> str:
    parts = []
    for attempt in report.attempts:
        if attempt.error:
            label = f"attempt {attempt.attempt}: " if len(report.attempts) > 1 else ""
            parts.append(f'<div class="alarm">{escape(label + attempt.error)}</div>')
    inputs = [[text(n), *_artifact(ref)] for n, ref in last.inputs.items()]
    inputs += [[text(n), code(plain(v)), "", ""] for n, v in last.values.items()]
    outputs = [[text(n), *_artifact(ref)] for n, ref in last.outputs.items()]
    kept = [
        [text(r["path"]), code(str(r["digest"])[:16]), "logged file", ""]
        for r in last.journal
        if r.get("type") == "LoggedArtifact"
    ]
    header = ["", "content", "type", "#size"]
    columns = [f"<h3>Inputs</h3>{table(header, inputs)}"] if inputs else []
    columns += [f"<h3>Outputs</h3>{table(header, outputs + kept)}"] if outputs or kept else []
    parts.append(f'<div class="columns">{"".join(f"<div>{c}</div>" for c in columns)}</div>')
    if trace := last.full_traceback or last.traceback:
        parts.append(f"<h3>Traceback</h3><pre>{escape(trace)}</pre>")
    if report.tail:
        parts.append(f"<h3>Last lines of its output</h3><pre>{escape(_lines(report.tail))}</pre>")
    parts.append(_details(report, last))
    return "".join(parts)


def _details(report: StepReport, last: AttemptRecord) -> str:
    facts = {
        "function": report.step.target,
        "attempts": str(len(report.attempts)),
        "CPU": seconds(last.cpu_seconds) if last.cpu_seconds else "",
        "peak memory": size(last.peak_bytes) if last.peak_bytes else "",
        "process": f"{last.pid} on {last.host}" if last.pid else last.host,
        "cache key": last.key,
    }
    if last.reused:
        facts["result of"] = f"run {last.reused.run_id}, attempt {last.reused.attempt}"
    rows = [[text(n), code(v)] for n, v in facts.items() if v]
    rows += [[text(f"key: {n}"), code(v)] for n, v in last.key_parts.items()]
    return f'<details class="more"><summary>details</summary>{table(["", ""], rows)}</details>'


def _environment(report: RunReport) -> str:
    run = report.run
    git = ", ".join(f"{name}: {value}" for name, value in run.git.items())
    facts = {
        "python": run.python,
        "host": f"{run.host}, process {run.pid}" if run.pid else run.host,
        "git": git,
        "code bundle": run.bundle or "",
        "graph": run.graph_digest,
    }
    rows = [[text(n), code(v)] for n, v in facts.items() if v]
    components = [[text(n), code(plain(v))] for n, v in run.components.items()]
    packages = [[text(n), code(v)] for n, v in sorted(run.packages.items())]
    more = (
        f'<details class="more"><summary>{len(packages)} packages</summary>'
        f"{table(['package', 'version'], packages)}</details>"
        if packages
        else ""
    )
    columns = [table(["", ""], rows) + more, table(["component", "settings"], components)]
    return f'<div class="columns">{"".join(f"<div>{c}</div>" for c in columns)}</div>'


def _artifact(ref: ArtifactRef) -> list[str]:
    short = f'<code title="{escape(ref.digest)}">{escape(ref.digest[:16])}</code>'
    return [short, text(ref.type), escape(size(ref.size))]


def _lines(lines: Sequence[str]) -> str:
    return "\n".join(lines)


def _remark(report: StepReport) -> str:
    took = _took(report)
    return f"{report.status} · {took}" if took else report.status


def _took(report: StepReport) -> str:
    """How long the last attempt took; nothing for a step that did not run."""
    last = report.last
    return "" if last is None or last.status == "cached" else seconds(last.seconds)
