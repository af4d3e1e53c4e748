"""The queue of the inference log: limited, and never in the way."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pandas as pd

from stackyard.components.registry import Field, Signature
from stackyard_bentoml.log import Exchange, Log

SIGNATURE = Signature((Field("hour", "INT64"),))


def exchange(number: int) -> Exchange:
    tensor = {"name": "hour", "shape": [1], "datatype": "INT64", "data": [number]}
    request = json.dumps({"inputs": [tensor]}).encode()
    response = json.dumps({"id": f"{number}", "outputs": [{**tensor, "name": "predict"}]}).encode()
    return Exchange(time.time(), "1", "champion", 0.001, f"{number}", request, response)


def make(folder: Path, memory: int = 10**9) -> Log:
    return Log(folder, lambda: {"1": SIGNATURE}, every=3600, memory=memory)


def logged(folder: Path) -> list[int]:
    frames = [pd.read_parquet(file) for file in folder.rglob("*.parquet")]
    return sorted(pd.concat(frames)["input:hour"]) if frames else []


def test_what_waits_is_limited(tmp_path: Path) -> None:
    """What comes beyond it is counted; what was written makes room."""
    size = exchange(0).size
    log = make(tmp_path, memory=3 * size)
    for number in range(5):
        log.put(exchange(number))
    assert log.left_out == 2
    log.flush()
    log.put(exchange(7))
    log.close()
    assert logged(tmp_path) == [0, 1, 2, 7]
    assert (log.left_out, log.fault) == (2, "")


def test_closing_writes_what_waits(tmp_path: Path) -> None:
    log = make(tmp_path)
    for number in range(4_500):  # more than one batch
        log.put(exchange(number))
    log.close()
    assert logged(tmp_path) == list(range(4_500))


def test_what_cannot_be_written_is_let_go(tmp_path: Path) -> None:
    """It frees its room, so that the log goes on when it can."""
    folder = tmp_path / "log"
    folder.write_text("in the way")
    log = make(folder, memory=2 * exchange(0).size)
    log.put(exchange(1))
    log.flush()
    assert log.left_out == 1
    assert "log" in log.fault
    folder.unlink()
    for number in (2, 3):
        log.put(exchange(number))
    log.close()
    assert logged(folder) == [2, 3]
    assert (log.left_out, log.fault) == (1, "")
