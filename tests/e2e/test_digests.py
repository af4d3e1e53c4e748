"""Equal content has an equal digest: in process, after resume, under another seed, from S3."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Place
from tests.pipelines import EVERYTHING


def digests(document: dict[str, Any]) -> dict[str, str]:
    return {s["name"]: o["digest"] for s in document["steps"] for o in s["outputs"].values()}


@pytest.fixture
def everything(place: Place) -> Place:
    place.write("dags/everything.py", EVERYTHING)
    return place


def test_every_way_to_run_gives_the_same_digests(
    everything: Place, tmp_path: Path, s3_url: str
) -> None:
    first = digests(everything.json("run", "everything"))
    assert len(set(first.values())) == 3

    seeded = everything.json("run", "everything", "--no-cache", env={"PYTHONHASHSEED": "7"})
    assert digests(seeded) == first

    flag = tmp_path / "broken"
    flag.touch()
    words = ("run", "everything", "--param", f"broken={flag}")
    failed = everything.json(*words, check=False)
    assert failed["status"] == "failed"
    flag.unlink()
    resumed = everything.json(*words, "--resume", failed["run_id"])
    assert {s["status"] for s in resumed["steps"]} == {"cached", "succeeded"}
    assert digests(resumed) == first

    everything.write("stacks/bucket.yaml", f"extends: local\nstore: {s3_url}\n")
    remote = everything.json("run", "everything", "--stack", "bucket")
    assert {s["status"] for s in remote["steps"]} == {"succeeded"}
    assert digests(remote) == first
    again = everything.json("run", "everything", "--stack", "bucket")
    assert {s["name"]: s["status"] for s in again["steps"]}["both"] == "cached"
    everything.run("runs", "verify", again["run_id"], "--stack", "bucket")
