"""One self-contained page of a monitor's report: no script, nothing loaded from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from stackyard.components.monitor_report import Histogram, MonitorReport, Score, Side, Subject
from stackyard.display import plural
from stackyard.html import filled
from stackyard.html_cells import badge, code, table, text
from stackyard.monitoring import figure, moment, verdict

MARK = "<!-- stackyard monitor -->"  # by which a page of ours is known
_WIDTH, _HEIGHT = 300, 46  # of a histogram
_HEADERS = ("#score", "#threshold", "")
_COLOURS = {"drifted": "failed", "not drifted": "succeeded", "cannot tell": "running"}
_TITLES: dict[Subject, str] = {
    "performance": "Performance",
    "prediction": "Predictions",
    "input": "Inputs",
    "quality": "Data quality",
}


def render(report: MonitorReport, run_id: str, pipeline: str, step: str) -> str:
    """Return the page of a report that ``step`` of a run made."""
    watched = [score for score in report.scores if score.watched]
    parts = [_section(report, [s for s in watched if s.subject == kind]) for kind in _TITLES]
    parts.append(_left_out([score for score in report.scores if not score.watched]))
    return filled(
        "monitor.html",
        title=escape(f"{pipeline} {step} {report.verdict}"),
        head=_head(report, run_id, pipeline, step),
        scores="".join(parts),
        footer=f"<code>stackyard monitor show {escape(run_id)} --step {escape(step)}</code>",
    )


def _head(report: MonitorReport, run_id: str, pipeline: str, step: str) -> str:
    facts = {
        "current": _side(report.current),
        "reference": _side(report.reference),
        "rule": text(report.rule),
        "values needed": text(f"{report.minimum:,} on either side"),
        "run": code(run_id),
        "step": code(step),
    }
    cells = "".join(f"<div><span>{n}</span><b>{v}</b></div>" for n, v in facts.items())
    kind = "alarm" if report.drifted else "alarm soft"
    why = (
        ""
        if report.verdict == "not drifted"
        else f'<div class="{kind}">{text(report.reason)}</div>'
    )
    return (
        f'<div class="head"><h1>{escape(pipeline)}</h1>'
        f"{badge(_COLOURS[report.verdict], report.verdict)}</div>"
        f'<div class="facts">{cells}</div>{why}'
    )


def _side(side: Side) -> str:
    window = "".join(f"<br>{text(moment(m))}" for m in (side.since, side.until) if m)
    return f"{plural(side.rows, 'row')}{window}"


def _section(report: MonitorReport, scores: Sequence[Score]) -> str:
    """The scores of one subject, what is bad first; sound quality is folded."""
    if not scores:
        return ""
    subject = scores[0].subject
    order = sorted(scores, key=lambda s: (not s.drifted, s.drifted is not None))
    if subject in ("input", "prediction"):
        key = '<span class="key then"></span>reference<span class="key now"></span>current'
        method = '<span class="whole">method</span>'
        headers = ["column", f'values <span class="dim">{key}</span>', method, *_HEADERS]
        rows = [
            [_name(s), _why(s) or _spread(report.histograms.get(s.column)), _method(s), *_cells(s)]
            for s in order
        ]
        return f'<h2>{_TITLES[subject]}</h2><div class="scroll">{table(headers, rows)}</div>'
    headers = ["column", "figure", "#reference", *_HEADERS]
    folded = [s for s in order if subject == "quality" and s.drifted is False]
    parts = [
        table(headers, [[_name(s), _why(s) or _method(s), _was(s), *_cells(s)] for s in some])
        for some in ([s for s in order if s not in folded], folded)
    ]
    if folded:
        summary = f"{plural(len(folded), 'figure')} ok"
        parts[1] = f'<details class="more"><summary>{summary}</summary>{parts[1]}</details>'
    return f"<h2>{_TITLES[subject]}</h2>{''.join(parts)}"


def _name(score: Score) -> str:
    return f"<b>{text(score.column)}</b>"


def _why(score: Score) -> str:
    """Why there is no score."""
    said = score.not_computed
    return f'<span class="dim">not computed: {text(said)}</span>' if said else ""


def _method(score: Score) -> str:
    return f'<span class="whole">{text(score.method)}</span>'


def _cells(score: Score) -> list[str]:
    """Score, threshold and verdict."""
    if score.score is None or score.threshold is None:
        return ["", "", ""]
    bound = f"{score.direction} {figure(score.threshold)}"
    mark = badge("failed" if score.drifted else "succeeded", verdict(score))
    return [figure(score.score), text(bound), mark]


def _was(score: Score) -> str:
    return "" if score.reference is None else figure(score.reference)


def _left_out(scores: Sequence[Score]) -> str:
    if not scores:
        return ""
    rows = [[text(score.column), text(score.not_computed)] for score in scores]
    return f"<h2>Left out</h2>{table(['column', 'why'], rows)}"


def _spread(histogram: Histogram | None) -> str:
    """Bars of both sides, bin by bin; what a bin holds is told by pointing at it."""
    if histogram is None:
        return ""
    bins = len(histogram.labels)
    most = max(*histogram.current, *histogram.reference) or 1.0
    step = _WIDTH / bins
    bars = []
    for place, label in enumerate(histogram.labels):
        now, then = histogram.current[place], histogram.reference[place]
        left = place * step
        told = f"{label}: {100 * now:.1f} % of current, {100 * then:.1f} % of the reference"
        bars.append(
            f"<g><title>{text(told)}</title>"
            + _bar("then", left + 0.06 * step, 0.5 * step, then / most)
            + _bar("now", left + 0.44 * step, 0.5 * step, now / most)
            + "</g>"
        )
    low = _HEIGHT + 12
    ends = (
        f'<text x="0" y="{low}">{text(histogram.labels[0])}</text>'
        f'<text x="{_WIDTH}" y="{low}" text-anchor="end">{text(histogram.labels[-1])}</text>'
    )
    return (
        f'<svg class="bins" width="{_WIDTH}" height="{_HEIGHT + 15}" role="img">'
        f"{''.join(bars)}{ends}</svg>"
    )


def _bar(side: str, left: float, width: float, share: float) -> str:
    high = share * _HEIGHT
    return (
        f'<rect class="{side}" x="{left:.1f}" y="{_HEIGHT - high:.1f}" '
        f'width="{width:.1f}" height="{high:.1f}"/>'
    )
