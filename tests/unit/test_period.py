"""Periods as text, and the intervals of schedules around changes of the clock."""

from __future__ import annotations

import pickle
import re
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackyard.errors import ParameterError
from stackyard.period import (
    PRESETS,
    Period,
    check_schedule,
    last_period,
    next_period,
    short_periods,
)

NEW_YORK = ZoneInfo("America/New_York")


def ny(*parts: int, fold: int = 0) -> datetime:
    return datetime(*parts, tzinfo=NEW_YORK, fold=fold)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2013", ny(2013, 1, 1), ny(2014, 1, 1)),
        ("2013-01", ny(2013, 1, 1), ny(2013, 2, 1)),
        ("2013-12", ny(2013, 12, 1), ny(2014, 1, 1)),
        ("2013-W05", ny(2013, 1, 28), ny(2013, 2, 4)),
        ("2013-01-05", ny(2013, 1, 5), ny(2013, 1, 6)),
        ("2013-03-10", ny(2013, 3, 10), ny(2013, 3, 11)),  # 23 hours
        ("2013-01-05T13", ny(2013, 1, 5, 13), ny(2013, 1, 5, 14)),
        ("2013-01..2013-03", ny(2013, 1, 1), ny(2013, 4, 1)),
        ("2012 .. 2013-02", ny(2012, 1, 1), ny(2013, 3, 1)),
        ("2013-01-01/2013-02-01", ny(2013, 1, 1), ny(2013, 2, 1)),
        ("2013-01-01T06:00/2013-01-01T07:30", ny(2013, 1, 1, 6), ny(2013, 1, 1, 7, 30)),
        (
            "2013-01-01T00:00:00Z/2013-01-02T00:00:00+01:00",
            datetime(2013, 1, 1, tzinfo=UTC),
            datetime(2013, 1, 1, 23, tzinfo=UTC),
        ),
    ],
)
def test_parse(text: str, start: datetime, end: datetime) -> None:
    period = Period.parse(text, "America/New_York")
    assert (period.start, period.end) == (start, end)
    assert Period.parse(str(period)) == period


@pytest.mark.parametrize(
    "text",
    [
        "2013", "2013-01", "2013-03", "2013-12", "2013-W05", "2013-01-05", "2013-03-10",
        "2012..2013", "2012-11..2013-02", "2013-W01..2013-W03", "2013-12-31..2014-01-05", "0001",
    ],
)  # fmt: skip
def test_a_period_is_shown_as_a_person_types_it(text: str) -> None:
    period = Period.parse(text, "America/New_York")
    assert period.short == text
    assert short_periods(f"from {period} on", "2013") == (f"from {text} on", "2013")


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("2013-01..2013-12", "2013"),
        ("2013-01-05T00..2013-01-05T23", "2013-01-05"),
        ("2013-01-28..2013-02-03", "2013-W05"),
        ("2013-11-03T01", ""),  # comes twice
        ("2013-01-01/2013-01-01", ""),
        ("2013-01-01/2013-01-02T01:00", ""),
        ("2013-01-01T00:00:00.5/2013-01-02", ""),
        ("9999-01-01/9999-12-31", ""),
    ],
)
def test_a_period_is_shown_no_shorter_than_it_is_read_back(text: str, short: str) -> None:
    period = Period.parse(text, "America/New_York")
    assert period.short == (short or str(period))
    assert Period.parse(period.short, "America/New_York") == period
    assert short_periods(str(period)) == (period.short,)


def test_two_periods_are_not_shown_alike() -> None:
    both = [str(Period.parse("2013-01", zone)) for zone in ("UTC", "America/New_York")]
    assert short_periods(*both) == tuple(both)
    assert short_periods(both[0], both[0]) == ("2013-01", "2013-01")


def test_a_text_that_only_looks_like_a_period_stays() -> None:
    for text in (both := str(Period.parse("2013-01"))).replace("01-01", "99-99"), both[::-1]:
        assert short_periods(text) == (text,)


def test_a_period_is_plain_and_equal_after_every_way() -> None:
    period = Period.parse("2013-11-03", "America/New_York")
    assert str(period) == "2013-11-03T00:00:00-04:00/2013-11-04T00:00:00-05:00"
    assert period.duration == timedelta(hours=25)
    for other in (
        Period.parse(str(period)),
        pickle.loads(pickle.dumps(period)),
        Period(ny(2013, 11, 3), ny(2013, 11, 4)),
        period.astimezone("UTC"),
    ):
        assert other == period
        assert hash(other) == hash(period)
    assert str(period.astimezone("UTC").astimezone("America/New_York")) == str(period)
    assert type(period.start.tzinfo) is timezone


def test_the_repeated_hour_keeps_its_two_meanings() -> None:
    first, second = ny(2013, 11, 3, 1, 30), ny(2013, 11, 3, 1, 30, fold=1)
    period = Period(first, second)
    assert period.duration == timedelta(hours=1)
    assert Period.parse(str(period)) == period


def test_the_interval_is_half_open() -> None:
    period = Period.parse("2013-01")
    assert period.start in period
    assert period.end not in period
    assert datetime(2013, 1, 31, 23, tzinfo=UTC) in period


@pytest.mark.parametrize(
    "text",
    ["", "13-01", "2013-13", "2013-00", "2013-02-30", "2013-W54", "2013-1", "January", "2013-01..",
     "2013-03..2013-01", "2013-02-01/2013-01-01", "a/b", "2013-01-01T25", "2013/", "9999"],
)  # fmt: skip
def test_what_is_no_period_says_what_is(text: str) -> None:
    with pytest.raises(ParameterError, match=rf"^{re.escape(repr(text))} is no period .*2013-01"):
        Period.parse(text)


def test_a_period_needs_zones_and_an_order() -> None:
    with pytest.raises(ValueError, match="start must be a datetime with a time zone"):
        Period(datetime(2013, 1, 1), datetime(2013, 2, 1, tzinfo=UTC))
    with pytest.raises(ValueError, match="end must be a datetime with a time zone"):
        Period(datetime(2013, 1, 1, tzinfo=UTC), date(2013, 2, 1))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="is before start"):
        Period(datetime(2013, 2, 1, tzinfo=UTC), datetime(2013, 1, 1, tzinfo=UTC))


def test_the_scheduled_period_is_only_a_mark() -> None:
    mark = Period.scheduled()
    assert mark is Period.scheduled()
    assert repr(mark) == "Period.scheduled()"
    with pytest.raises(AttributeError, match="it is a default of a pipeline"):
        _ = mark.start


@pytest.mark.parametrize(
    ("schedule", "now", "text"),
    [
        ("@monthly", ny(2013, 2, 1), "2013-01"),
        ("@monthly", ny(2013, 2, 28, 23, 59), "2013-01"),
        ("@monthly", ny(2013, 3, 1) - timedelta(microseconds=1), "2013-01"),
        ("@yearly", ny(2014, 6, 1), "2013"),
        ("@annually", ny(2014, 6, 1), "2013"),
        ("@quarterly", ny(2013, 4, 2), "2013-01..2013-03"),
        ("@weekly", ny(2013, 1, 14), "2013-01-06..2013-01-12"),
        ("@daily", ny(2013, 1, 2), "2013-01-01"),
        ("@daily", ny(2013, 3, 11, 12), "2013-03-10"),
        ("@daily", ny(2013, 11, 4, 0, 30), "2013-11-03"),
        ("@hourly", ny(2013, 1, 2, 3, 4), "2013-01-02T02"),
        ("0 6 * * 1-5", ny(2013, 1, 7, 8), "2013-01-04T06:00/2013-01-07T06:00"),
    ],
)
def test_the_last_complete_interval(schedule: str, now: datetime, text: str) -> None:
    period = last_period(schedule, "America/New_York", now)
    assert period == Period.parse(text, "America/New_York")
    assert next_period(schedule, "America/New_York", period.start) == period


def test_hours_around_the_changes_of_the_clock_are_hours() -> None:
    for now in (ny(2013, 3, 10, 5), ny(2013, 11, 3, 5)):
        for back in range(8):
            moment = now.astimezone(UTC) - timedelta(hours=back)
            period = last_period("@hourly", "America/New_York", moment)
            assert period.duration == timedelta(hours=1)
            assert period.end == moment


def test_days_around_the_changes_of_the_clock_follow_the_calendar() -> None:
    spring = last_period("@daily", "America/New_York", ny(2013, 3, 11))
    autumn = last_period("@daily", "America/New_York", ny(2013, 11, 4))
    assert (spring.duration, autumn.duration) == (timedelta(hours=23), timedelta(hours=25))
    # A time of day that does not exist: the job runs once, as the clock jumps.
    skipped = last_period("30 2 * * *", "America/New_York", ny(2013, 3, 10, 12))
    assert skipped.end == ny(2013, 3, 10, 3)
    assert skipped.start == ny(2013, 3, 9, 2, 30)
    # A time of day that exists twice: the job runs the first time only.
    doubled = last_period("30 1 * * *", "America/New_York", ny(2013, 11, 3, 12))
    assert doubled.end == ny(2013, 11, 3, 1, 30).astimezone(UTC)
    assert last_period("30 1 * * *", "America/New_York", ny(2013, 11, 3, 1, 40, fold=1)) == doubled


def test_a_midnight_that_does_not_exist() -> None:
    zone = ZoneInfo("America/Sao_Paulo")  # 4 November 2018 begins at one o'clock
    period = last_period("@daily", "America/Sao_Paulo", datetime(2018, 11, 5, tzinfo=zone))
    assert period.start == datetime(2018, 11, 4, 1, tzinfo=zone)
    assert period.duration == timedelta(hours=23)


@given(
    st.datetimes(datetime(2012, 1, 1), datetime(2014, 12, 31)),
    st.sampled_from(["@hourly", "@daily", "@weekly", "@monthly", "30 2 * * *", "*/20 1-3 * * *"]),
    st.sampled_from(["UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe"]),
)
def test_intervals_tile_time(naive: datetime, schedule: str, zone: str) -> None:
    now = naive.replace(tzinfo=UTC)
    last = last_period(schedule, zone, now)
    following = next_period(schedule, zone, last.end)
    assert last.start < last.end <= now < following.end
    assert following.start == last.end
    assert last_period(schedule, zone, following.end) == following
    assert last_period(schedule, zone, last.end) == last


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("@never", "Write a cron expression of five fields, or one of @annually"),
        ("0 0 0 1 * *", "five fields"),
        ("60 * * * *", "Bad minute"),
        ("0 0 31 2 *", "Bad day-of-month"),
        ("", "five fields"),
    ],
)
def test_what_is_no_schedule_says_what_is(schedule: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_schedule(schedule, "UTC")


def test_presets_and_zones() -> None:
    for preset in PRESETS:
        check_schedule(preset, "Europe/Berlin")
    check_schedule(None, "UTC")
    for zone in ("Mars", "../etc/passwd", ""):
        with pytest.raises(ValueError, match="unknown time zone"):
            check_schedule(None, zone)
    with pytest.raises(ValueError, match="has no time zone"):
        last_period("@daily", "UTC", datetime(2013, 1, 1))


def test_a_schedule_of_leap_days() -> None:
    period = last_period("0 0 29 2 *", "UTC", datetime(2013, 1, 1, tzinfo=UTC))
    assert (period.start.year, period.end.year) == (2008, 2012)
