"""What changes the fingerprint of a step's code, and what does not: a row for each kind of change.

A row is a small project and one edit of it. The edit either can change what the step does, and then
the fingerprint must change, or it cannot, and then it should not.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stackyard.store.code.index import CodeFingerprint, CodeIndex
from tests.unit.code_changes import (
    DOES_NOT,
    HELPERS,
    MATTERS,
    PACKAGE,
    REGISTRY,
    Files,
    Row,
    project,
)

Write = Callable[[Files], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    count = iter(range(1000))

    def make(files: Files) -> Path:
        root = tmp_path / f"project{next(count)}" / "dags"
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return root

    return make


def of(root: Path, target: str = "flow:run", **options: object) -> CodeFingerprint:
    return CodeIndex([root], path=[]).fingerprint(target, **options)  # type: ignore[arg-type]


def both(row: Row, write: Write) -> tuple[CodeFingerprint, CodeFingerprint]:
    files = project(row)
    assert files[row.file].count(row.old) == 1, f"{row.old!r} is not there once"
    before = of(write(files))
    files[row.file] = files[row.file].replace(row.old, row.new)
    return before, of(write(files))


@pytest.mark.parametrize("row", MATTERS, ids=lambda row: row.name)
def test_a_change_that_may_matter_is_never_missed(row: Row, write: Write) -> None:
    before, after = both(row, write)
    assert before.digest != after.digest, before.parts


@pytest.mark.parametrize("row", DOES_NOT, ids=lambda row: row.name)
def test_a_change_that_cannot_matter_keeps_the_fingerprint(row: Row, write: Write) -> None:
    before, after = both(row, write)
    assert dict(before.parts) == dict(after.parts)
    assert before.digest == after.digest


# What is said about it


def test_parts_name_what_is_reached(write: Write) -> None:
    files = {
        "flow.py": "from stackyard import step\nimport model\nfrom cleaning import trim\n"
        "UNUSED = 1\n"
        "@step\ndef run(x):\n    return trim(x, model.DEPTH)\n",
        "model.py": "DEPTH = 6\nWIDTH = 7\n",
        "cleaning.py": "class Rule:\n    pass\ndef trim(x, n):\n    return Rule()\n",
    }
    found = of(write(files))
    assert set(found.parts) == {
        "class cleaning.Rule",
        "constant model.DEPTH",
        "function cleaning.trim",
        "function flow.run",
    }
    assert found.granularity == "function"
    assert found.describe() == "reaches 2 functions, 1 class, 1 constant"


def test_a_whole_module_says_why(write: Write) -> None:
    files = {
        "flow.py": "from stackyard import step\nimport helpers\n\n\n@step\ndef run(x):\n"
        "    return getattr(helpers, x)\n",
        **HELPERS,
    }
    found = of(write(files))
    assert set(found.parts) == {"function flow.run", "module helpers"}
    assert found.granularity == "module"
    assert found.reasons == {"helpers": "getattr on it at flow.py:7"}
    assert "whole modules: helpers (getattr on it at flow.py:7)" in found.describe()


@pytest.mark.parametrize(
    ("body", "module", "why"),
    [
        ("return globals()[x]", "flow", "globals at flow.py:5"),
        ("return undefined(x)", "flow", "undefined is not defined in it, flow.py:5"),
        ("return eval(x)", "flow", "eval at flow.py:5"),
        ("return helpers.missing", "helpers", "missing is not defined in it, flow.py:5"),
        (
            "import importlib\n    return importlib.import_module(x)",
            "helpers",
            "import_module at flow.py:6",
        ),
        ("return print(helpers)", "helpers", "used as an object at flow.py:5"),
        ("return broken.f", "broken", "it cannot be parsed, line 1"),
    ],
)
def test_reasons(write: Write, body: str, module: str, why: str) -> None:
    flow = f"from stackyard import step\nimport helpers\n@step\ndef run(x):\n    {body}\n"
    if "broken" in body:
        flow = "import broken\n" + flow
    found = of(write({"flow.py": flow, **HELPERS, "broken.py": "1 1"}))
    assert found.reasons[module] == why


def test_a_step_that_is_not_in_the_source_counts_its_module_and_its_name(write: Write) -> None:
    root = write({"flow.py": "run = 1\nother = 2\n"})
    found = of(root, "flow:missing")
    assert found.ambiguous
    assert found.reasons == {"flow": "missing is not found in its source"}


def test_functions_that_reach_each_other_differ(write: Write) -> None:
    files = {"flow.py": "def even(n): return odd(n - 1)\ndef odd(n): return even(n - 1)\n"}
    root = write(files)
    assert of(root, "flow:even").digest != of(root, "flow:odd").digest


@pytest.mark.parametrize(
    "flow",
    [
        "def make(n):\n    @step\n    def run(x): return n\n    return run\n"
        "a, b = make(1), make(2)\n",
        "@step\ndef run(x): return 1\na = run\n@step\ndef run(x): return 2\n",
        "for n in (1, 2):\n    @step\n    def run(x, n=n): return n\n",
        "run = step(lambda x: x)\n",
    ],
)
def test_a_name_that_may_stand_for_several_functions(write: Write, flow: str) -> None:
    target = "flow:make.<locals>.run" if "make" in flow else "flow:run"
    found = of(write({"flow.py": f"from stackyard import step\n{flow}"}), target)
    assert found.ambiguous
    assert "flow" in found.reasons


def test_ambiguous_code_counts_the_module_of_the_pipeline(write: Write) -> None:
    steps = (
        "from stackyard import step\ndef make(n):\n    @step\n    def run(x): return n\n"
        "    return run\n"
    )
    flows = [f"from steps import make\n{a} = make(1)\n{b} = make(2)\n" for a, b in ("ab", "ba")]
    target = "steps:make.<locals>.run"
    first, second = (
        of(write({"steps.py": steps, "flow.py": flow}), target, pipeline="flow") for flow in flows
    )
    assert first.digest != second.digest


def test_the_module_of_the_pipeline_may_patch(write: Write) -> None:
    steps = "from stackyard import step\nD = 1\n@step\ndef run(x): return D\n"
    digests = {
        of(
            write({"steps.py": steps, "flow.py": f"import steps\nsteps.D = {n}\n"}),
            "steps:run",
            pipeline="flow",
        ).digest
        for n in (1, 2)
    }
    assert len(digests) == 2


@pytest.mark.parametrize("dotted", ["models.trees.Tree", "models.trees:Tree"])
def test_the_types_of_inputs_count(write: Write, dotted: str) -> None:
    files = {"flow.py": "def run(model): return model.predict()\n", "models/__init__.py": ""}
    tree = "class Tree:\n    def predict(self): return {}\n"
    roots = [write({**files, "models/trees.py": tree.format(n)}) for n in (1, 2)]
    assert len({of(root).digest for root in roots}) == 1
    assert len({of(root, types=[dotted]).digest for root in roots}) == 2
    assert of(roots[0], types=["tinylib.Frame", "int"]).distributions == {
        "tinylib": "not installed"
    }


def test_a_class_of_the_stack_has_a_fingerprint_too(write: Write) -> None:
    root = write({"acme.py": "class Warehouse:\n    def query(self): return 1\n"})
    assert set(of(root, "acme:Warehouse").parts) == {"class acme.Warehouse"}
    assert of(root, "elsewhere:Warehouse").distributions == {"elsewhere": "not installed"}


# It depends on nothing else


SEVERAL = {
    "flow.py": "from stackyard import step\nimport pkg, registry, plugins, helpers\n"
    "from m import *\n"
    "KEYS = {'b', 'a', 'c'}\n@step\ndef run(x):\n    return pkg.clean(g(x)), registry.TABLE, KEYS\n"
    "@step\ndef other(x):\n    return getattr(helpers, x), eval(x)\n",
    "plugins.py": "from registry import register\n@register\ndef f(): return 1\n"
    "@register\ndef h(): return 2\n",
    "m.py": "import numpy as np\ndef g(x): return np.log(x)\n",
    **HELPERS,
    **PACKAGE,
    **REGISTRY,
}


def test_two_folders_and_two_hash_seeds_agree(write: Write) -> None:
    program = (
        "import sys; from pathlib import Path; from stackyard.store.code.index import CodeIndex\n"
        "index = CodeIndex([Path(sys.argv[1])], path=[])\n"
        "for name in ('run', 'other'):\n"
        "    found = index.fingerprint(f'flow:{name}')\n"
        "    print(found.digest, sorted(found.parts), found.reasons)\n"
    )
    printed = set()
    for seed in ("1", "2"):
        root = write(SEVERAL)
        env = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", program, str(root)],
            env=env,
            cwd=root,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        printed.add(done.stdout)
    assert len(printed) == 1


def test_the_order_of_asking_does_not_count(write: Write) -> None:
    root = write(SEVERAL)
    index = CodeIndex([root], path=[])
    digests = [index.fingerprint(f"flow:{name}").digest for name in ("other", "run")]
    assert digests == [of(root, "flow:other").digest, of(root).digest]


def test_only_what_compile_wrote_does_not_count(write: Write) -> None:
    """``dags/generated`` is ours; a folder of that name elsewhere is the project's code."""
    flow = "import importlib\ndef run(name):\n    return importlib.import_module(name).VALUE\n"
    for folder, counts in (("dags", False), ("src", True)):
        dags = write({"flow.py": flow})
        file = dags.parent / folder / "generated/messages.py"
        file.parent.mkdir(parents=True)
        digests = []
        for text in ("VALUE = 1\n", "VALUE = 2\n"):
            file.write_text(text)
            index = CodeIndex([dags, dags.parent / "src"], path=[])
            digests.append(index.fingerprint("flow:run").digest)
        assert (digests[0] != digests[1]) is counts, folder


def test_a_link_to_a_folder_above_is_no_trap(write: Write) -> None:
    root = write({"flow.py": "def run(x): return eval(x)\n", "pkg/__init__.py": ""})
    (root / "pkg" / "loop").symlink_to(root, target_is_directory=True)
    assert of(root).parts


def test_a_compiled_module_counts_by_its_bytes(write: Write) -> None:
    from importlib.machinery import EXTENSION_SUFFIXES

    root = write({"flow.py": "import fast\ndef run(x): return fast.f(x)\n"})
    file = root / f"fast{EXTENSION_SUFFIXES[0]}"
    file.write_bytes(b"one")
    first = of(root)
    file.write_bytes(b"two")
    assert first.reasons["fast"] == "it is compiled"
    assert of(root).digest != first.digest


def test_line_endings_and_encoding_do_not_count(write: Write) -> None:
    root = write({"flow.py": "def run(x):\n    return 'é'\n"})
    plain = of(root).digest
    (root / "flow.py").write_bytes(
        "# coding: latin-1\r\ndef run(x):\r\n    return 'é'\r\n".encode("latin-1")
    )
    assert of(root).digest == plain


def test_a_later_root_is_hidden_by_an_earlier_one(write: Write) -> None:
    flow = {"flow.py": "import m\ndef run(x): return m.D\n"}
    first, second = write({**flow, "m.py": "D = 1"}), write({"m.py": "D = 2"})
    both_ways = {
        CodeIndex(roots, path=[]).fingerprint("flow:run").digest
        for roots in ([first, second], [second, first])
    }
    assert len(both_ways) == 2
    assert of(first).digest in both_ways


def test_no_user_code_is_imported(write: Write, tmp_path: Path) -> None:
    mark = tmp_path / "imported"
    root = write({"flow.py": f"open({str(mark)!r}, 'w')\ndef run(x): return 1\n"})
    of(root)
    assert not mark.exists()
    assert "flow" not in sys.modules


@pytest.mark.parametrize(
    "text",
    [
        "x = " + " + ".join(f"'{n}'" for n in range(3000)),
        "x = " + "[" * 80 + "]" * 80,
        "x = 0x" + "f" * 6000,
        "if x:\n    pass\n" + "".join(f"elif x == {n}:\n    y = {n}\n" for n in range(1500)),
        "x = '\\ud800'",
        "\x00",
        "match x:\n    case None:\n        pass\n",
        "async def f():\n    async with a as b:\n        return [c async for c in b]\n",
        "try:\n    pass\nexcept* ValueError as e:\n    pass\n",
    ],
)
def test_odd_source_is_read(write: Write, text: str) -> None:
    first, second = (
        of(
            write(
                {
                    "flow.py": f"import m\ndef run(): return getattr(m, 'x')\n"
                    f"def g(): return {n}\n",
                    "m.py": text,
                }
            )
        )
        for n in (1, 2)
    )
    assert first.parts
    opaque = any("parsed" in why for why in first.reasons.values())
    assert (first.digest != second.digest) == opaque  # then all of the project counts


# Notebooks


def cells(*texts: str) -> CodeFingerprint:
    sources = {"__main__": "from stackyard import step, pipeline\n" + "\n".join(texts)}
    return CodeIndex([], sources=sources, path=[]).fingerprint("__main__:run")


CELL = "D = 1\ndef g(x): return x\n@step\ndef run(x, n=D):\n    return g(x) + T['a'] + D\n"
TABLE = "T = {'a': 1}\n"
FLOW = "@pipeline\ndef flow():\n    run(1)\n"


@pytest.mark.parametrize(
    "cell",
    [
        "D = 2\n",
        "def g(x): return x + 1\n",
        "T['a'] = 2\n",
        "T.update(a=2)\n",
        "T = {'a': 2}\n",
        "def put(t):\n    T['a'] = t\nput(2)\n",
        "D += 1\n",
        CELL.replace("+ D", "- D"),
        "import numpy as np\nnp.random.seed(1)\n",
        "import os\nos.environ['A'] = '1'\n",
        "globals()['D'] = 2\n",
        "for k in 'a':\n    T[k] = 3\n",
        "if __name__ == '__main__':\n    D = 2\n",
    ],
)
def test_a_cell_that_changes_what_the_step_uses(cell: str) -> None:
    assert cells(TABLE, CELL, FLOW, cell).digest != cells(TABLE, CELL, FLOW).digest


@pytest.mark.parametrize(
    "cell",
    [
        "result = flow.run()\n",
        "result = flow.run()\nresult['run'].head()\n",
        "D\n",
        "x = 5\nprint(x)\n",
        "import pandas as pd\nframe = pd.read_csv('a.csv')\nframe.head()\nframe['b'] = 1\n",
        CELL,
        FLOW,
        "get_ipython().run_line_magic('matplotlib', 'inline')\n",
        "def another(): return 1\n",
        "@step\ndef later(x): return 2\n",
        "import matplotlib.pyplot as plt\nplt.plot([1])\nplt.show()\n",
    ],
)
def test_a_cell_that_only_looks_keeps_the_fingerprint(cell: str) -> None:
    assert cells(TABLE, CELL, FLOW, cell).digest == cells(TABLE, CELL, FLOW).digest


@pytest.mark.parametrize("options", [{}, {"target": "flow:run", "types": ["__main__.Model"]}])
def test_code_whose_source_is_not_known_is_never_taken_for_other_code(
    write: Write, options: dict[str, object]
) -> None:
    root = write({"flow.py": "def run(x): return 1\n"})
    first, second = (of(root, **{"target": "__main__:run", **options}) for _ in range(2))  # type: ignore[arg-type]
    assert first.digest != second.digest
    assert first.reasons == {"__main__": "its source is not known"}
    assert not first.distributions


def test_a_redefined_step_changes_and_changes_back() -> None:
    other = CELL.replace("g(x) +", "g(x) *")
    first, second = cells(TABLE, CELL, FLOW), cells(TABLE, CELL, FLOW, other)
    third = cells(TABLE, CELL, FLOW, other, CELL)
    assert len({first.digest, second.digest, third.digest}) == 3


def test_a_default_that_was_evaluated_before_a_change_is_not_the_one_after() -> None:
    cell = "@step\ndef run(x, n=D): return n\n"
    assert cells("D = 1", cell, "D = 2").digest != cells("D = 1", cell, "D = 2", cell).digest
