"""What a pipeline handles instead of data refuses every use that needs a value."""

# ruff: noqa: SIM300, UP031, UP032
# The forms that these rules would rewrite are what is tested.

from __future__ import annotations

import copy
import operator
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from stackyard import pipeline, step
from stackyard.errors import PipelineError
from stackyard.pipeline import Pipeline

HERE = Path(__file__).name


class Split(NamedTuple):
    train: list[int]
    test: list[int]


@step
def load() -> list[int]:
    return [1]


@step
def split(rows: list[int]) -> Split:
    return Split(rows, rows)


@step
def silent() -> None: ...


@step
def untyped(x=None):
    return x


def refused(use: Callable[[Any], Any], source: Callable[[], Any] = load) -> str:
    def flow() -> None:
        use(source())

    with pytest.raises(PipelineError) as error:
        Pipeline(flow, None, None, "UTC", None).graph()
    message = str(error.value)
    line = use.__code__.co_firstlineno
    assert f"{HERE}:{line}: " in message, message
    return message


DECIDE, COMPARE = "Decide inside a step", "Compare inside a step"
LOOP, COMPUTE, FORMAT = "Loop inside a step", "Compute it inside a step", "Format it inside"


@pytest.mark.parametrize(
    ("use", "word"),
    [
        (lambda node: bool(node), DECIDE),
        (lambda node: node and 1, DECIDE),
        (lambda node: not node, DECIDE),
        (lambda node: 1 if node else 2, DECIDE),
        (lambda node: [1 for _ in (1,) if node], DECIDE),
        (lambda node: node == 1, COMPARE),
        (lambda node: node != 1, COMPARE),
        (lambda node: 1 == node, COMPARE),
        (lambda node: node < 1, COMPARE),
        (lambda node: 1 <= node, COMPARE),
        (lambda node: node > 1, COMPARE),
        (lambda node: node >= 1, COMPARE),
        (lambda node: node in (1, 2), COMPARE),
        (lambda node: 1 in node, COMPARE),
        (lambda node: max(node, 1), COMPARE),
        (lambda node: sorted([node, node]), COMPARE),
        (lambda node: {node: 1}, "Use its name as the key"),
        (lambda node: {node}, "Use its name as the key"),
        (lambda node: list(node), LOOP),
        (lambda node: [x for x in node], LOOP),
        (lambda node: sum(node), LOOP),
        (lambda node: len(node), LOOP),
        (lambda node: (lambda a, b: 0)(*node), LOOP),
        (lambda node: next(node), COMPUTE),
        (lambda node: reversed(node), COMPUTE),
        (lambda node: node + 1, COMPUTE),
        (lambda node: "a" + node, COMPUTE),
        (lambda node: 2**node, COMPUTE),
        (lambda node: node @ node, COMPUTE),
        (lambda node: operator.iadd(node, 1), COMPUTE),
        (lambda node: divmod(node, 2), COMPUTE),
        (lambda node: -node, COMPUTE),
        (lambda node: abs(node), COMPUTE),
        (lambda node: round(node), COMPUTE),
        (lambda node: int(node), COMPUTE),
        (lambda node: float(node), COMPUTE),
        (lambda node: [1, 2][node], COMPUTE),
        (lambda node: range(node), COMPUTE),
        (lambda node: bytes(node), COMPUTE),
        (lambda node: os.path.join("a", node), COMPUTE),
        (lambda node: f"{node}", FORMAT),
        (lambda node: f"{node:>3}", FORMAT),
        (lambda node: str(node), FORMAT),
        (lambda node: "%s" % node, FORMAT),
        (lambda node: "{}".format(node), FORMAT),
        (lambda node: print(node), FORMAT),
        (lambda node: node["a"], "return a NamedTuple"),
        (lambda node: node[0], "return a NamedTuple"),
        (lambda node: operator.setitem(node, 0, 1), "Change it inside a step"),
        (lambda node: operator.delitem(node, 0), "Change it inside a step"),
        (lambda node: setattr(node, "x", 1), "Change it inside a step"),
        (lambda node: node(), "Call it inside a step"),
        (lambda node: node.__enter__(), "Use it inside a step"),
        (lambda node: node.shape, "it returns one list[int]"),
    ],
)
def test_uses_that_need_the_value(use: Callable[[Any], Any], word: str) -> None:
    message = refused(use)
    assert word in message
    assert "step 'load'" in message


@pytest.mark.parametrize(
    "use", [bool, str, len, list, hash, lambda p: p == 1, lambda p: p.real, lambda p: p + 1]
)
def test_parameters_of_a_pipeline_are_symbolic_too(use: Callable[[Any], Any]) -> None:
    def flow(depth: int = 6) -> None:
        use(depth)

    with pytest.raises(PipelineError, match="parameter 'depth': its value exists only when"):
        Pipeline(flow, None, None, "UTC", None).graph()


def test_an_if_names_its_line() -> None:
    @pipeline
    def flow() -> None:
        rows = load()
        if rows:
            silent()

    line = flow.function.__code__.co_firstlineno + 3
    with pytest.raises(PipelineError, match=rf"{HERE}:{line}: truth value .* step 'load': .*when"):
        flow.graph()


def test_wrong_outputs_are_named() -> None:
    assert "no output 'trian'. Outputs: train, test. Did you mean 'train'?" in refused(
        lambda node: split(node).trian
    )
    assert "'silent' returns nothing" in refused(lambda node: node.x, silent)
    assert "it has no return annotation" in refused(lambda node: node.x, untyped)
    assert "attribute 'x' of the output 'train' of step 'split'" in refused(
        lambda node: split(node).train.x
    )


def test_repr_is_informative_and_probing_is_harmless() -> None:
    seen: dict[str, Any] = {}

    def flow(depth: int = 6) -> None:
        rows = load()
        seen.update(rows=rows, train=split(rows).train, depth=depth, quiet=untyped())
        seen["dir"] = dir(split(rows))
        assert not hasattr(rows, "_repr_html_")
        assert rows is not None and not isinstance(rows, str)

    Pipeline(flow, None, None, "UTC", None).graph()
    assert repr(seen["rows"]) == "<result of step 'load': list[int]>"
    assert repr(seen["train"]) == "<output 'train' of step 'split': list[int]>"
    assert repr(seen["depth"]) == "<parameter 'depth': int>"
    assert repr(seen["quiet"]) == "<result of step 'untyped'>"
    assert seen["dir"] == ["after", "test", "train"]


def test_a_value_kept_after_the_build_still_refuses() -> None:
    kept: list[Any] = []

    def flow() -> None:
        kept.append(load())

    Pipeline(flow, None, None, "UTC", None).graph()
    with pytest.raises(PipelineError, match="truth value"):
        _ = not kept[0]
    with pytest.raises(PipelineError, match="outside the pipeline with a value that exists"):
        split(kept[0])
    assert copy.copy(kept) is not kept


def test_numpy_and_pandas_do_not_swallow_a_node() -> None:
    numpy, pandas = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    assert "no named output 'mean'" in refused(lambda node: numpy.mean(node))
    assert COMPUTE in refused(lambda node: numpy.arange(3) + node)
    refused(lambda node: pandas.DataFrame({"a": [1]})["a"] + node)
