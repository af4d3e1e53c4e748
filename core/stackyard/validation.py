"""The ready-made step ``validate``, and what it is made of, for a step of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stackyard.components.validator import Check, Suite, ValidationReport, Validator
from stackyard.display import plain, plural
from stackyard.errors import ValidationFailed
from stackyard.pipeline import step
from stackyard.signature import from_stack

if TYPE_CHECKING:
    import pandas as pd

NAMED = 3  # checks in the one line of an error


@step
def validate(
    frame: pd.DataFrame,
    suite: dict[str, Any],
    examples: int = 0,
    *,
    validator: Validator = from_stack(),
) -> pd.DataFrame:
    """Check ``frame`` against ``suite`` and pass it on; prints what does not hold.

    Args:
        frame: what is checked; passed on unchanged.
        suite: what is expected of it, as ``read_suite`` gives it.
        examples: how many unexpected values each check may show; they may be data of persons.
        validator: given by the stack.

    Raises:
        ValidationFailed: a critical expectation does not hold, or could not be checked.
        InvalidInput: the suite or the frame is one that cannot be checked.
    """
    check_frame(validator, frame, suite, examples)
    return frame


def check_frame(
    validator: Validator, frame: pd.DataFrame, suite: dict[str, Any], examples: int = 0
) -> ValidationReport:
    """What ``validate`` does, for a step that asks a validator of its own choice.

    Raises:
        ValidationFailed: a critical expectation does not hold, or could not be checked.
        InvalidInput: the suite or the frame is one that cannot be checked.
    """
    report = validator.validate(frame, Suite.of(suite), examples=examples)
    print("\n".join(lines(report)))
    if not report.passed:
        raise ValidationFailed(failure(report))
    return report


def lines(report: ValidationReport) -> list[str]:
    """The report for people: how many hold, and a table of those that do not."""
    counts = [(verdict, len(report.of(verdict))) for verdict in ("pass", "fail", "error")]
    skipped = len(report.of("skipped"))
    said = ", ".join(f"{n} {v}" for v, n in [*counts, *([("skipped", skipped)] if skipped else [])])
    head = f"suite {report.suite!r} on {plural(report.rows, 'row')}: {said}"
    wrong = report.of("fail", "error", "skipped")
    if not wrong:
        return [head]
    titles = ("verdict", "severity", "expectation", "column", "unexpected", "found")
    rows = [titles, *map(_row, wrong)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(titles))]
    table = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    return [head, *(line.rstrip() for line in table)]


def failure(report: ValidationReport) -> str:
    """One line: which suite failed, on how much, and the worst of it."""
    stopping = sorted(report.stopping, key=_share, reverse=True)
    unknown = sum(check.verdict == "error" for check in stopping)
    counts = ((len(stopping) - unknown, "failed"), (unknown, "could not be checked"))
    said = " and ".join(f"{count} {what}" for count, what in counts if count)
    named = "; ".join(map(_short, stopping[:NAMED]))
    more = f"; and {len(stopping) - NAMED} more" if len(stopping) > NAMED else ""
    return (
        f"suite {report.suite!r}: of {plural(len(report.checks), 'expectation')} {said} "
        f"on {plural(report.rows, 'row')}: {named}{more}"
    )


def _row(check: Check) -> tuple[str, ...]:
    found = check.message
    if check.examples:
        found += f"{' ' if found else ''}e.g. {', '.join(map(repr, check.examples))}"
    cells = (check.verdict, check.severity, check.expectation, check.column, _counted(check), found)
    return tuple(map(plain, cells))


def _short(check: Check) -> str:
    of = f"{check.expectation}({check.column})" if check.column else check.expectation
    return plain(f"{of} {_counted(check) or check.message}")


def _counted(check: Check) -> str:
    if check.unexpected is None or not check.total or check.verdict != "fail":
        return ""
    share = 100 * check.unexpected / check.total
    shown = f"{share:.0f}" if share >= 10 else f"{share:.2g}"
    return f"{check.unexpected:,} of {check.total:,} ({shown} %)"


def _share(check: Check) -> float:
    """How bad it is; what fails as a whole, or could not be checked, is worst."""
    counts = check.unexpected is not None and check.total
    return (check.unexpected or 0) / (check.total or 1) if counts else 2.0
