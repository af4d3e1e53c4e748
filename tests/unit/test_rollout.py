"""Which version gets what: the rules that every server keeps."""

from __future__ import annotations

from typing import Any

import pytest

from stackyard.components.rollout import Rollout
from stackyard.errors import Conflict, InvalidInput, NotFound

TWO = Rollout("1").added("2")


def test_a_version_waits_beside_the_champion() -> None:
    assert (TWO.versions, TWO.traffic) == (("1", "2"), {"1": 100, "2": 0})
    assert TWO.added("2") == TWO == TWO.added("1")
    assert TWO.added("3").versions == ("1", "3")


@pytest.mark.parametrize("busy", [TWO.split({"1": 99, "2": 1}), TWO.shadowed("2")])
def test_a_version_at_work_keeps_its_place(busy: Rollout) -> None:
    with pytest.raises(Conflict, match="room for one"):
        busy.added("3")


def test_a_promotion_is_taken_back_once() -> None:
    promoted = TWO.split({"1": 50, "2": 50}).promoted("2")
    assert (promoted.champion, promoted.previous) == ("2", "1")
    assert promoted.traffic == {"2": 100, "1": 0}
    back = promoted.rolled_back()
    assert back == TWO
    with pytest.raises(Conflict, match="nothing to roll back"):
        back.rolled_back()


def test_a_canary_is_taken_back_before_a_promotion() -> None:
    """The one before the last promotion gets a share: that is the last thing done."""
    again = TWO.promoted("2").split({"2": 90, "1": 10})
    assert again.previous is None
    assert again.rolled_back().traffic == {"2": 100, "1": 0}


def test_a_new_version_takes_the_place_of_the_one_before() -> None:
    later = TWO.promoted("2").added("3")
    assert (later.versions, later.previous) == (("2", "3"), None)
    with pytest.raises(Conflict):
        later.rolled_back()


def test_the_champion_gets_everything_when_it_is_promoted() -> None:
    assert TWO.split({"1": 10, "2": 90}).promoted("1") == TWO
    assert TWO.shadowed("2").promoted("1") == TWO


def test_a_shadow_has_no_share() -> None:
    watching = TWO.shadowed("2")
    assert (watching.shadow, watching.traffic) == ("2", {"1": 100, "2": 0})
    assert watching.split({"1": 100}).shadow == "2"
    assert watching.split({"1": 60, "2": 40}).shadow is None
    assert watching.shadowed(None) == TWO == watching.rolled_back()
    with pytest.raises(Conflict, match="100 %"):
        watching.shadowed("1")


@pytest.mark.parametrize(
    "traffic", [{}, {"1": 99}, {"1": 101, "2": -1}, {"1": 50.0, "2": 50}, {"1": True, "2": 99}]
)
def test_what_is_no_traffic(traffic: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="traffic"):
        TWO.split(traffic)


def test_unknown_versions_are_not_found() -> None:
    for call in (TWO.promoted, TWO.shadowed, lambda version: TWO.split({version: 100})):
        with pytest.raises(NotFound, match=r"'7'.*1, 2"):
            call("7")
