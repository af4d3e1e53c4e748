"""The part of a validator's contract that is about proposing suites."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from stackyard.components.validator import Suite, Validator
from stackyard.errors import InvalidInput
from stackyard.suites import read_suite, written
from stackyard.testing.manners import needs
from stackyard.testing.validator_case import ROWS, ValidatorCase, flights


class ProposalContract(ValidatorCase):
    """Inherited by ``ValidatorContract``."""

    def test_18_a_profile_is_a_suite_that_the_frame_passes(
        self, validator: Validator, tmp_path: Path
    ) -> None:
        """It says something of every column, and its file is read as the same suite."""
        needs(validator, "profile")
        frame = flights()
        for one in (frame.set_axis(range(frame.shape[1]), axis=1), frame):
            proposed = validator.profile(one, "flights")
            report = validator.validate(one, proposed)
            assert [c for c in report.checks if c.verdict != "pass"] == []
            assert set(map(str, one.columns)) <= {c.column for c in report.checks}
        assert through_a_file(proposed, tmp_path) == proposed
        frame.loc[0, "carrier"] = None
        assert not validator.validate(frame, proposed).passed
        with pytest.raises(InvalidInput, match="no rows"):
            validator.profile(frame[:0], "flights")

    def test_19_what_is_learned_tells_sound_frames_from_others(
        self, validator: Validator, tmp_path: Path
    ) -> None:
        """The history passes; another schema, more nulls, other units, values, volume do not."""
        needs(validator, "learn")
        history = [flights(seed, ROWS + seed % 7) for seed in range(12)]
        learned = validator.learn(history, "flights", false_alarms=0.05)
        assert through_a_file(learned, tmp_path) == learned
        assert all(e.notes for e in learned.expectations)
        for frame in history:
            assert validator.validate(frame, learned).passed
        for name, frame in broken(flights(99)).items():
            assert not validator.validate(frame, learned).passed, name
        with pytest.raises(InvalidInput, match="at least"):
            validator.learn(history[:1], "flights")


def broken(sound: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The five failures that nothing else tells."""
    return {
        "schema": sound.rename(columns={"delay": "delay_min"}),
        "nulls": sound.assign(delay=sound["delay"].mask(sound.index % 2 == 0)),
        "units": sound.assign(delay=sound["delay"] * 60),
        "values": sound.assign(carrier=sound["carrier"].replace("UA", "United")),
        "volume": sound[: len(sound) // 3],
    }


def through_a_file(proposed: Suite, folder: Path) -> Suite:
    """The suite as read back from its file."""
    path = folder / "proposed.suite.yaml"
    path.write_text(written(proposed), encoding="utf-8")
    return Suite.of(read_suite(path))
