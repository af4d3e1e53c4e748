"""The stretch of time that a run is about, and schedules that cut time into such stretches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, date, datetime, timedelta, timezone, tzinfo

from stackyard.errors import ParameterError

# As Apache Airflow understands them.
PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_EXAMPLES = "2013, 2013-01, 2013-W05, 2013-01-05, 2013-01-05T13, 2013-01..2013-03 or START/END"
_PART = re.compile(
    r"(?P<year>\d{4})(?:-W(?P<week>\d{2})|-(?P<month>\d{2})(?:-(?P<day>\d{2})(?:T(?P<hour>\d{2}))?)?)?"
)

_MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?[+-]\d\d:\d\d(?::\d\d)?"
_TEXT = re.compile(rf"{_MOMENT}/{_MOMENT}")  # as ``str`` of a period writes it


@dataclass(frozen=True)
class Period:
    """A half-open interval of time: ``start`` belongs to it, ``end`` does not.

    Both are aware. They are kept with fixed offsets from UTC, so that a period that went through
    a file or another process is equal to the first.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            moment = getattr(self, name)
            offset = moment.utcoffset() if isinstance(moment, datetime) else None
            if offset is None:
                raise ValueError(
                    f"Period: {name} must be a datetime with a time zone, not {moment!r}"
                )
            fixed = UTC if not offset else timezone(offset)
            object.__setattr__(self, name, moment.replace(tzinfo=fixed, fold=0))
        if self.end < self.start:
            raise ValueError(f"Period: end {self.end} is before start {self.start}")

    def __str__(self) -> str:
        return f"{self.start.isoformat()}/{self.end.isoformat()}"

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    @property
    def duration(self) -> timedelta:
        """The time that passes from start to end."""
        return self.end - self.start

    @property
    def short(self) -> str:
        """The period for people: ``2013-01``, ``2013-W05``, ``2013-01-05`` or two with ``..``.

        ``parse`` reads it back equal in the time zone of the period. What is no such stretch of
        whole days is as ``str`` gives it; hours are not among them, for one a year comes twice.
        """
        start, end = self.start.replace(tzinfo=None), self.end.replace(tzinfo=None)
        if start < end and end.year < MAXYEAR:  # the end of the last year is no moment
            last = end - timedelta(microseconds=1)
            pairs = list(zip(_spellings(start), _spellings(last), strict=True))
            for a, b in sorted(pairs, key=lambda pair: pair[0] != pair[1]):
                if (_span(a)[0], _span(b)[1]) == (start, end):
                    return a if a == b else f"{a}..{b}"
        return str(self)

    def astimezone(self, zone: str | tzinfo) -> Period:
        """The same period with the offsets of ``zone``."""
        there = zone_of(zone)
        return Period(self.start.astimezone(there), self.end.astimezone(there))

    @classmethod
    def parse(cls, text: str, timezone: str | tzinfo = "UTC") -> Period:
        """Read a year, month, week, day or hour, ``first..last`` of these, or ISO ``start/end``.

        Args:
            text: such as ``2013-01``; what ``str`` of a period gives is read back equal.
            timezone: the zone in which it is meant, unless the text has offsets.

        Raises:
            ParameterError: the text is none of these.
        """
        zone = zone_of(timezone)
        try:
            if "/" in text:
                start, _, end = text.partition("/")
                return cls(_moment(start, zone), _moment(end, zone))
            first, dots, last = text.partition("..")
            start_of, end_of = _span(first.strip())
            if dots:
                end_of = _span(last.strip())[1]
            return cls(start_of.replace(tzinfo=zone), end_of.replace(tzinfo=zone))
        except (ValueError, OverflowError) as exc:
            raise ParameterError(f"{text!r} is no period ({exc}). Write {_EXAMPLES}") from exc

    @staticmethod
    def scheduled() -> Period:
        """Default of a pipeline's parameter: the interval that the schedule's run is about.

        On Airflow that is the run's data interval, in process the last complete interval of the
        schedule. Outside of a pipeline's signature it is no period.
        """
        return SCHEDULED


class _Scheduled(Period):
    def __init__(self) -> None:
        pass

    def __repr__(self) -> str:
        return "Period.scheduled()"

    __str__ = __repr__

    def __getattr__(self, name: str) -> datetime:
        raise AttributeError(f"Period.scheduled() has no {name!r}: it is a default of a pipeline")


SCHEDULED: Period = _Scheduled()


def last_period(schedule: str, timezone: str = "UTC", now: datetime | None = None) -> Period:
    """Return the last interval of ``schedule`` that was complete at ``now``.

    Raises:
        ValueError: the schedule or the time zone is none.
    """
    now = datetime.now(UTC) if now is None else _aware(now)
    ticks: list[datetime] = []
    for tick in _ticks(schedule, timezone, now):
        if tick > now and len(ticks) > 1:
            break
        ticks.append(tick)
    return Period(ticks[-2], ticks[-1])


def next_period(schedule: str, timezone: str = "UTC", after: datetime | None = None) -> Period:
    """Return the first interval of ``schedule`` that begins at ``after`` or later.

    Raises:
        ValueError: the schedule or the time zone is none.
    """
    after = datetime.now(UTC) if after is None else _aware(after)
    ticks = _ticks(schedule, timezone, after)
    start = next(tick for tick in ticks if tick >= after)
    return Period(start, next(ticks))


def check_schedule(schedule: str | None, timezone: str) -> None:
    """Raise ValueError unless both mean something; no schedule is fine."""
    zone_of(timezone)
    if schedule is not None:
        next_period(schedule, "UTC", datetime(2000, 1, 1, tzinfo=UTC))


def zone_of(name: str | tzinfo) -> tzinfo:
    """Return the time zone called ``name`` by IANA.

    Raises:
        ValueError: there is none.
    """
    if isinstance(name, tzinfo):
        return name
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError, TypeError) as exc:
        raise ValueError(
            f"unknown time zone {name!r}. Write e.g. 'UTC' or 'America/New_York'"
        ) from exc


def _ticks(schedule: str, timezone: str, moment: datetime) -> Iterator[datetime]:
    """Yield the schedule's ticks in UTC from at least two before ``moment``, ever later."""
    from cronsim import CronSim, CronSimError

    expression = PRESETS.get(schedule, schedule)
    if len(expression.split()) != 5:  # with seconds, cron dialects disagree on the order
        raise ValueError(
            f"{schedule!r} is no schedule. Write a cron expression of five fields, or one of "
            f"{', '.join(sorted(PRESETS))}"
        )
    local = moment.astimezone(zone_of(timezone))
    try:
        # Counted backwards only to find where to begin: around clock changes the simulator is
        # exact when it counts forwards.
        backwards = CronSim(expression, local + timedelta(days=1), reverse=True)
        anchor = next(
            tick for tick in backwards if tick.astimezone(UTC) < moment - timedelta(days=1)
        )
        for _ in range(2):
            anchor = next(backwards)
        last = None
        for tick in CronSim(expression, anchor - timedelta(seconds=1)):
            instant = tick.astimezone(UTC)
            if last is None or instant > last:
                last = instant
                yield tick
    except (CronSimError, StopIteration) as exc:
        raise ValueError(f"{schedule!r} is no schedule: {exc}. Write e.g. '30 6 * * 1-5'") from exc


def short_periods(*texts: str) -> tuple[str, ...]:
    """Each text with the periods in it as ``Period.short``, unless two would then look the same."""
    short = tuple(_TEXT.sub(_short, text) for text in texts)
    return short if len(set(short)) == len(set(texts)) else texts


def _short(found: re.Match[str]) -> str:
    try:
        return Period.parse(found[0]).short
    except ParameterError:  # it only looks like one
        return found[0]


def _spellings(day: datetime) -> tuple[str, ...]:
    """The year, month, week and day of a moment, the shortest first."""
    year, week, _ = day.isocalendar()
    text = day.isoformat()
    return text[:4], text[:7], f"{year:04}-W{week:02}", text[:10]


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone")
    return moment


def _moment(text: str, zone: tzinfo) -> datetime:
    moment = datetime.fromisoformat(text.strip())
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def _span(text: str) -> tuple[datetime, datetime]:
    """First moment of a year, month, week, day or hour, and of the one after it; naive."""
    match = _PART.fullmatch(text)
    if match is None:
        raise ValueError(f"cannot read {text!r}")
    year, week, month, day, hour = (int(v) if v else None for v in match.groups())
    assert year is not None
    if week is not None:
        start = datetime.combine(date.fromisocalendar(year, week, 1), datetime.min.time())
        return start, start + timedelta(days=7)
    if month is None:
        return datetime(year, 1, 1), datetime(year + 1, 1, 1)
    if day is None:
        return datetime(year, month, 1), datetime(year + month // 12, month % 12 + 1, 1)
    start = datetime(year, month, day, hour or 0)
    return start, start + (timedelta(days=1) if hour is None else timedelta(hours=1))
