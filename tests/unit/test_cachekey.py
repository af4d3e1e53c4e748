"""Cache keys: what they depend on, what two of them say, and what may be reused at all."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stackyard.graph import FromParam, FromStep, ListOf, Step, StepOptions, Value
from stackyard.store.cachekey import UNTOLD, compute, explain, max_age, reusable
from stackyard.store.code.index import CodeFingerprint, CodeIndex

STEP = Step("train", "flow:train", {"rows": FromStep("load"), "depth": FromParam("depth")})
CODE = CodeFingerprint(
    digest="c" * 64,
    target="flow:train",
    granularity="function",
    parts={"function flow.train": "1" * 64, "function cleaning.trim": "2" * 64},
    distributions={"pandas": "2.3.3"},
)
BASE: dict[str, Any] = {
    "code": CODE,
    "inputs": {"rows": "a" * 64},
    "values": {"depth": 6},
    "components": {"tracker": {"flavor": "memory", "uri": "x"}},
    "states": {"store": "1f" * 32},
    "python": "3.11",
}


def with_code(**changes: Any) -> CodeFingerprint:
    return CodeFingerprint(**{**vars(CODE), **changes})


def key(step: Step = STEP, **changes: Any) -> tuple[str, dict[str, str]]:
    return compute(step, **{**BASE, **changes})


def said(**changes: Any) -> str:
    step = changes.pop("step", STEP)
    return explain(key()[1], key(step, **changes)[1])


def test_a_key_is_a_digest_and_its_parts_are_short() -> None:
    digest, parts = key(values={"depth": 6, "text": "x" * 500, "lines": "a\nb"})
    assert re.fullmatch(r"[0-9a-f]{64}", digest)
    assert all(len(value) <= 80 for value in parts.values()), parts
    assert not any("\n" in value for value in parts.values())
    assert parts["function cleaning.trim"] == "2" * 12
    assert parts["parameter depth"] == "6"
    assert parts["package pandas"] == "2.3.3"
    assert parts["input rows"] == "a" * 12 + " from step load"


CHANGES: list[tuple[dict[str, Any], str]] = [
    (
        {"code": with_code(parts={**CODE.parts, "function cleaning.trim": "3" * 64})},
        "function cleaning.trim changed",
    ),
    (
        {"code": with_code(parts={**CODE.parts, "constant model.DEPTH": "3" * 64})},
        "constant model.DEPTH is now reached",
    ),
    (
        {"code": with_code(parts={"function flow.train": "1" * 64})},
        "function cleaning.trim is no longer reached",
    ),
    (
        {"code": with_code(parts={**CODE.parts, "statements flow": "3" * 64})},
        "what importing flow does is now reached",
    ),
    ({"states": {"store": "2f" * 32}}, "what store holds changed"),
    (
        {"states": {"store": f"{UNTOLD}20250101-000000-00000000"}},
        "store cannot tell what changed in it",
    ),
    ({"values": {"depth": 8}}, "parameter depth: 6 -> 8"),
    ({"values": {"depth": "6"}}, 'parameter depth: 6 -> "6"'),
    ({"values": {"depth": 6.0}}, "parameter depth: 6 -> 6.0"),
    ({"values": {"depth": True}}, "parameter depth: 6 -> true"),
    ({"values": {}}, "parameter depth: 6 -> none"),
    ({"values": {"depth": 6, "kind": "a"}}, 'parameter kind: none -> "a"'),
    ({"inputs": {"rows": "b" * 64}}, "input rows changed (from step load)"),
    ({"inputs": {"rows": "a" * 12 + "b" * 52}}, ""),
    (
        {"components": {"tracker": {"flavor": "memory", "uri": "y"}}},
        "tracker configuration changed",
    ),
    ({"components": {}}, "tracker is no longer used"),
    ({"code": with_code(distributions={"pandas": "3.1.1"})}, "pandas 2.3.3 -> 3.1.1"),
    ({"code": with_code(distributions={})}, "pandas 2.3.3 -> none"),
    ({"python": "3.12"}, "python 3.11 -> 3.12"),
    ({"version": "2"}, 'declared version: none -> "2"'),
    ({"fingerprint": {"size": 3}}, 'the step\'s own fingerprint: none -> {"size":3}'),
    ({"code": with_code(target="flow:fit")}, "function of the step: flow:train -> flow:fit"),
]


@pytest.mark.parametrize(("change", "text"), CHANGES, ids=[text for _, text in CHANGES])
def test_every_part_counts_and_says_so(change: dict[str, Any], text: str) -> None:
    assert key(**change)[0] != key()[0]
    if text:
        assert said(**change) == text


def test_what_does_not_count() -> None:
    turned = {
        name: dict(reversed(value.items())) for name, value in BASE.items() if name == "values"
    }
    assert (
        key(values={"b": 1, "a": {"d": 1, "c": 2}})[0]
        == key(values={"a": {"c": 2, "d": 1}, "b": 1})[0]
    )
    assert key(**turned)[0] == key()[0]
    renamed = Step("fit", STEP.target, STEP.inputs, doc="other", after=("load",))
    assert key(renamed)[0] == key()[0]
    assert (
        key(Step("train", STEP.target, STEP.inputs, options=StepOptions(retries=3)))[0] == key()[0]
    )
    moved = Step("train", STEP.target, {"rows": FromStep("load_again"), "depth": Value(6)})
    assert key(moved)[0] == key()[0]


def test_parts_cannot_be_taken_for_each_other() -> None:
    """A parameter called like a package, an input like a parameter."""
    keys = {
        key(values={"x": "1"}, inputs={}, components={})[0],
        key(values={}, inputs={"x": "1"}, components={})[0],
        key(values={}, inputs={}, components={"x": "1"})[0],
    }
    assert len(keys) == 3


def test_how_an_input_is_put_together_counts() -> None:
    items = (FromStep("a"), FromStep("b"))
    shapes = [
        ListOf(items), ListOf(items, "tuple"), ListOf(items, "dict", ("x", "y")),
        ListOf(items, "dict", ("y", "x")), ListOf((ListOf(items),)),
    ]  # fmt: skip
    inputs = {"rows.0": "a", "rows.1": "b"}
    keys = {key(Step("s", "flow:train", {"rows": shape}), inputs=inputs)[0] for shape in shapes}
    assert len(keys) == len(shapes)
    parts = key(Step("s", "flow:train", {"rows": shapes[0]}), inputs=inputs)[1]
    assert parts["input rows.1"] == "b from step b"


def test_named_outputs_count() -> None:
    assert key(Step("train", STEP.target, STEP.inputs, outputs=("a", "b")))[0] != key()[0]


def test_the_name_counts_only_where_the_source_does_not_say_which_function_it_is() -> None:
    ambiguous = with_code(ambiguous=True)
    second = Step("train_2", STEP.target, STEP.inputs)
    assert key(second)[0] == key()[0]
    assert key(second, code=ambiguous)[0] != key(code=ambiguous)[0]


def test_the_most_telling_change_comes_first_and_few_are_named() -> None:
    parts = {**CODE.parts, "function cleaning.trim": "3" * 64}
    change = {
        "code": with_code(parts=parts, distributions={"pandas": "3.1.1"}),
        "values": {"depth": 8},
        "inputs": {"rows": "b" * 64},
        "python": "3.12",
    }
    assert said(**change) == (
        "function cleaning.trim changed; parameter depth: 6 -> 8; "
        "input rows changed (from step load); 2 more"
    )


def test_an_input_is_called_as_the_step_that_gave_it_calls_it() -> None:
    parts = ListOf((FromStep("split", "train"), FromStep("split", "test")))
    step = Step("train", STEP.target, {"parts": parts})
    before = key(step, inputs={"parts.0": "a" * 64, "parts.1": "b" * 64})[1]
    after = key(step, inputs={"parts.0": "c" * 64, "parts.1": "b" * 64})[1]
    assert explain(before, after) == "input parts changed (from step split.train)"


def test_an_input_from_another_step_says_both() -> None:
    step = Step("train", STEP.target, {"rows": FromStep("tidy"), "depth": FromParam("depth")})
    assert (
        said(step=step, inputs={"rows": "b" * 64}) == "input rows changed (from step load -> tidy)"
    )
    assert said(step=step) == "nothing that counts changed"


WHOLE = with_code(
    parts={"function flow.train": "1" * 64, "module cleaning": "5" * 64},
    reasons={"cleaning": "getattr on it at flow.py:12"},
)


def test_a_whole_module_says_why_it_counts() -> None:
    _, before = key(code=WHOLE)
    _, after = key(
        code=CodeFingerprint(
            **{**vars(WHOLE), "parts": {**WHOLE.parts, "module cleaning": "6" * 64}}
        )
    )
    assert explain(before, after) == (
        "module cleaning changed (whole module: getattr on it at flow.py:12)"
    )
    assert said(code=WHOLE) == (
        "module cleaning is now reached (whole module: getattr on it at flow.py:12)"
    )


def test_the_line_of_a_reason_does_not_count() -> None:
    moved = CodeFingerprint(
        **{**vars(WHOLE), "reasons": {"cleaning": "getattr on it at flow.py:13"}}
    )
    assert key(code=moved)[0] == key(code=WHOLE)[0]
    assert explain(key(code=WHOLE)[1], key(code=moved)[1]) == "nothing that counts changed"


def test_the_same_key_under_another_hash_seed_and_in_another_folder(tmp_path: Path) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from tests.unit.test_cachekey import key\n"
        "print(*key(values={c: c for c in {'a', 'b', 'c', 'd'}}))\n"
    )
    root = str(Path(__file__).parents[2])
    printed = {
        subprocess.run(
            [sys.executable, "-c", program, root],
            env={**os.environ, "PYTHONHASHSEED": seed}, cwd=tmp_path, capture_output=True,
            text=True, check=True,
        ).stdout.split()[0]
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(printed) == 1


# From source to one line, as the lead's end-to-end tests see it

LEARN = {
    "learn.py": "from stackyard import step\nfrom helpers import clean, fit\nBASE = 3\n"
    "class Mean:\n    def fit(self, rows): return sum(rows) / len(rows)\nMODELS = {'mean': Mean}\n"
    "@step(cache=True)\ndef load(count: int = 5): return [BASE * n for n in range(count)]\n"
    "@step\ndef tidy(rows): return clean(rows)\n"
    "@step\ndef train(rows, depth, kind='mean'):\n"
    "    return fit(rows, depth) + MODELS[kind]().fit(rows)\n",
    "helpers.py": "STEP = 10\ndef clean(rows): return [r for r in rows if r >= 0]\n"
    "def fit(rows, depth):\n    scale = 1\n    return scale * depth + STEP\n",
}
EDITS = [
    ("helpers.py", "scale = 1", "scale = 2", {"train": "function helpers.fit changed"}),
    ("helpers.py", "scale = 1", "scale  =  1  # as agreed", {}),
    ("helpers.py", "STEP = 10", "STEP = 11", {"train": "constant helpers.STEP changed"}),
    ("helpers.py", "r >= 0", "r > 0", {"tidy": "function helpers.clean changed"}),
    ("learn.py", "BASE = 3", "BASE = 4", {"load": "constant learn.BASE changed"}),
    ("learn.py", "/ len(rows)", "/ len(rows) + 1", {"train": "class learn.Mean changed"}),
    ("learn.py", "cache=True", "cache='1d'", {}),
    ("learn.py", "{'mean': Mean}", "{'m': Mean}", {"train": "constant learn.MODELS changed"}),
    ("learn.py", "kind='mean'", "kind='m'", {"train": "function learn.train changed"}),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "expected"), EDITS, ids=[e[2] for e in EDITS])
def test_which_steps_an_edit_makes_run_again(
    tmp_path: Path, file: str, old: str, new: str, expected: dict[str, str]
) -> None:
    def keys(folder: str, files: dict[str, str]) -> dict[str, tuple[str, dict[str, str]]]:
        root = tmp_path / folder
        root.mkdir()
        for name, text in files.items():
            (root / name).write_text(text)
        index = CodeIndex([root])
        return {
            name: key(Step(name, f"learn:{name}"), code=index.fingerprint(f"learn:{name}"))
            for name in ("load", "tidy", "train")
        }

    assert LEARN[file].count(old) == 1
    before = keys("before", LEARN)
    after = keys("elsewhere", {**LEARN, file: LEARN[file].replace(old, new)})
    changed = {n: explain(before[n][1], after[n][1]) for n in before if before[n][0] != after[n][0]}
    assert changed == expected


# What may be reused

FROM_STEP = {"rows": FromStep("load")}
IN_A_LIST = {"rows": ListOf((FromStep("load"), Value(1)))}
FROM_OUTSIDE = {"n": FromParam("n"), "m": Value(1)}


@pytest.mark.parametrize(
    ("inputs", "options", "across", "age"),
    [
        (FROM_STEP, {}, True, None),
        (IN_A_LIST, {}, True, None),
        (FROM_STEP, {"cache": True}, True, None),
        (FROM_STEP, {"cache": False}, False, None),
        (FROM_STEP, {"cache": 3600}, True, 3600.0),
        (FROM_STEP, {"cache": 0}, True, 0.0),
        (FROM_STEP, {"effect": True}, False, None),
        (FROM_STEP, {"effect": True, "cache": True}, False, None),
        (FROM_STEP, {"effect": True, "cache": 60}, False, 60.0),
        (FROM_STEP, {"effect": True, "fingerprint": "m:f"}, False, None),
        (FROM_STEP, {"fingerprint": "m:f"}, True, None),
        (FROM_STEP, {"fingerprint": "m:f", "cache": False}, False, None),
        (FROM_OUTSIDE, {}, False, None),
        ({}, {}, False, None),
        ({}, {"cache": True}, True, None),
        ({}, {"cache": 86400.0}, True, 86400.0),
        ({}, {"cache": 0}, True, 0.0),
        ({}, {"cache": 1}, True, 1.0),
        ({}, {"cache": False}, False, None),
        ({}, {"fingerprint": "m:f"}, True, None),
        ({}, {"fingerprint": "m:f", "cache": False}, False, None),
        ({}, {"fingerprint": "m:f", "cache": 60}, True, 60.0),
        ({}, {"version": "2"}, False, None),
        ({}, {"effect": True, "cache": True}, False, None),
    ],
)  # fmt: skip
def test_what_may_be_reused(
    inputs: dict[str, Any], options: dict[str, Any], across: bool, age: float | None
) -> None:
    step = Step("s", "m:s", inputs, after=("load",), options=StepOptions(**options))
    assert reusable(step) is across
    assert max_age(step) == age
