"""What data versioners share."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackyard.components.data_versioner import file_suffix


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("flights.csv", ".csv"),
        ("flights-2013.01.PARQUET", ".PARQUET"),
        ("flights.v1.csv.gz", ".csv.gz"),
        ("flights.gz", ".gz"),
        ("flights", ""),
        (".env", ""),
        ("flights.", ""),
        ("flights.größe", ""),
        ("flights.a b", ""),
        ("flights.csv\n", ""),
    ],
)
def test_the_ending_of_a_file(name: str, suffix: str) -> None:
    """It reaches paths, so it is plain; compression keeps the ending before it."""
    assert file_suffix(Path(name)) == suffix
