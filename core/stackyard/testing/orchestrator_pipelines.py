"""Pipelines of the orchestrators' contract, copied into its project; ``notes`` is a folder."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stackyard import either, otherwise, pipeline, step, when
from stackyard.errors import StepFailed


def tries(notes: str, name: str) -> int:
    """Count a try of a step; return how many there were."""
    with Path(notes, name).open("a") as file:
        file.write("x")
    return Path(notes, name).stat().st_size


def beats(notes: str, name: str) -> Iterator[None]:
    """Give signs of life for 40 seconds."""
    for _ in range(400):
        Path(notes, f"{name}-pulse").write_text(str(time.time()))
        time.sleep(0.1)
        yield


@step(cache=True)
def one(texts: list[str], share: float, count: int) -> dict[str, Any]:
    """Give the parameters back."""
    return {"texts": texts, "share": share, "count": count}


@step
def two(found: dict[str, Any]) -> dict[str, Any]:
    """Give something else each time; the contract changes what ``code`` is."""
    return {"code": "first", "texts": len(found["texts"]), "made": uuid.uuid4().hex}


@step(effect=True)
def three(found: dict[str, Any], notes: str) -> int:
    """Have an effect."""
    return tries(notes, "three")


@pipeline
def contract_small(texts: list[str], share: float, count: int, notes: str) -> None:
    """Three steps in a row."""
    three(two(one(texts, share, count)), notes)


@step(retries=2, retry_delay=0.1, timeout="60s")
def flaky(notes: str) -> int:
    """Raise, be killed, succeed."""
    number = tries(notes, "flaky")
    if number == 1:
        raise ValueError("not yet")
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@step
def big() -> bool:
    """Decide between the branches."""
    return False


@step
def rare() -> str:
    """Run where the condition holds."""
    return "rare"


@step
def common() -> str:
    """Run where it does not."""
    return "common"


@step
def told(text: str) -> str:
    """Join the branches."""
    return f"told {text}"


@step
def last() -> int:
    """Wait, and read nothing."""
    return 2


@pipeline
def contract_shapes(notes: str) -> None:
    """Branches, an order without data, a step that needs three tries."""
    flaky(notes)
    is_big = big()
    with when(is_big):
        seldom = rare()
    with otherwise():
        often = common()
    text = told(either(seldom, often, when=is_big))
    last.after(text)()


@step(effect=True)
def first(notes: str) -> int:
    """Have an effect before others fail."""
    return tries(notes, "first")


@step(retries=1, retry_delay=0.1)
def wrong(value: int, notes: str) -> int:
    """Raise until it is mended."""
    if not Path(notes, "mended").exists():
        raise ValueError("broken for now")
    return 2


@step(retries=2, retry_delay=0.1)
def hopeless(value: int, notes: str) -> int:
    """Say, until it is mended, that no other try can help."""
    if not Path(notes, "mended").exists():
        raise StepFailed("no other try can help")
    return 1


@step
def beside(value: int) -> int:
    """Run, whatever becomes of the others."""
    return value


@step
def behind(value: int) -> int:
    """Run where what is before it succeeded."""
    return value


@pipeline
def contract_broken(notes: str) -> None:
    """Two steps fail, others do not."""
    value = first(notes)
    failed = wrong(value, notes)
    hopeless(value, notes)
    beside(value)
    behind.named("aside").after(behind(failed))(value)


@step(timeout="2s")
def late(notes: str) -> int:
    """Take longer than it may."""
    for _ in beats(notes, "late"):
        pass
    return -1


@pipeline
def contract_late(notes: str) -> None:
    """A step that is over its timeout."""
    late(notes)


@step
def long(value: int, notes: str) -> int:
    """Give signs of life until it is stopped, or mended."""
    for _ in beats(notes, "long"):
        if Path(notes, "mended").exists():
            return value + 10
    return -1


@pipeline
def contract_stopped(notes: str) -> None:
    """A step that is stopped by hand."""
    behind(long(first(notes), notes))
