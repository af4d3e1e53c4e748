"""The reference pages say what the code says; what is added to one has to be added to the other."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import os
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import stackyard
from stackyard import errors, flavors, hookspecs, specs
from stackyard.components import base
from stackyard.errors import PipelineError, StackyardError
from stackyard.graph import KINDS, StepOptions
from stackyard.local_config import LocalConfig
from stackyard.period import PRESETS, Period
from stackyard.pipeline import Pipeline
from stackyard.plugins import load
from stackyard.profile import KEYS
from stackyard.registry import config_class, contract
from stackyard.shape import field_docs, shape_of
from stackyard.store import records
from stackyard.store.formats import builtin_formats
from tests.docs.pages import DOCS, ROOT, Block, blocks

REFERENCE = DOCS / "reference"
PAGES = [*DOCS.rglob("*.md"), *ROOT.glob("plugins/*/README.md"), ROOT / "CONTRIBUTING.md"]


def page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def section(name: str, heading: str) -> str:
    """The text under a heading, up to the next one of the same level."""
    _, found, rest = page(name).partition(f"\n{heading}\n")
    assert found, f"{name} has no heading {heading!r}"
    level = heading.partition(" ")[0]
    return re.split(rf"^#{{2,{len(level)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> Iterator[list[str]]:
    """The cells of each row of the tables in a text, headings and rules left out."""
    lines = text.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("|") and not line.startswith("|-") and not following.startswith("|-"):
            cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
            yield [cell.strip().replace(r"\|", "|") for cell in cells]


def named(text: str) -> set[str]:
    """What stands in backticks in the first cell of the tables in a text."""
    return {name for cells in rows(text) for name in re.findall(r"`([^`]+)`", cells[0])}


# Plugins


def hooks() -> list[str]:
    return [name for name in vars(hookspecs.Specs) if name.startswith("stackyard_")]


@pytest.mark.parametrize("hook", hooks())
def test_every_hook_stands_there_with_its_exact_signature(hook: str) -> None:
    function = getattr(hookspecs.Specs, hook)
    signature = inspect.signature(function)
    bare = signature.replace(parameters=list(signature.parameters.values())[1:])
    written = f"{hook}{bare}".replace("'", "")
    about = (inspect.getdoc(function) or "").splitlines()[0]
    assert [f"`{written}`", about] in list(rows(section("plugins.md", "## Hooks")))


def test_no_hook_stands_there_that_does_not_exist() -> None:
    listed = {name.partition("(")[0] for name in named(section("plugins.md", "## Hooks"))}
    assert listed == set(hooks())


@pytest.mark.parametrize("name", ["Flavor", "ArtifactFormat", "SecretProvider"])
def test_every_field_of_a_descriptor(name: str) -> None:
    text = section("plugins.md", "## Descriptors")
    _, found, rest = text.partition(f"| `{name}` | |\n")
    assert found
    fields = [f.name for f in dataclasses.fields(getattr(flavors, name))]
    assert [c[0].strip("`") for c in rows("|\n" + rest.partition("\n\n")[0])][-len(fields) :] == (
        fields
    )


def test_the_parts_of_a_context_and_of_a_component() -> None:
    text = section("plugins.md", "## Components")
    for field in dataclasses.fields(base.Context):
        assert f"`{field.name}`" in text
    for kind in KINDS:
        assert f"`{kind}`" in page("plugins.md")
    for method in ("check", "services", "prepare", "close"):
        bare = inspect.signature(getattr(base.Component, method))
        shown = bare.replace(parameters=[p for n, p in bare.parameters.items() if n != "self"])
        assert f"| `{method}{shown}` |".replace("'", "") in text, method


# Errors


def classes(root: type[StackyardError] = StackyardError) -> Iterator[type[StackyardError]]:
    yield root
    for one in root.__subclasses__():
        if one.__module__ == errors.__name__:
            yield from classes(one)


def tree(text: str) -> dict[str, tuple[str, int | None]]:
    """Name to parent and exit code, as a drawing has them."""
    found: dict[str, tuple[str, int | None]] = {}
    above: list[str] = []
    for line in text.splitlines():
        match = re.match(r"^([│├└─ ]*)([A-Z]\w+)", line)
        if match is None:
            continue
        depth = len(match[1]) // 4
        above[depth:] = [match[2]]
        code = re.search(r"exit code (\d)", line)
        found[match[2]] = (above[depth - 1] if depth else "", int(code[1]) if code else None)
    return found


def test_the_tree_of_errors() -> None:
    [drawing] = [b.text for b in blocks(REFERENCE / "errors.md") if b.language == "text"]
    drawn = tree(drawing)
    assert {c.__name__ for c in classes()} == drawn.keys()
    for cls in list(classes())[1:]:
        parent, code = drawn[cls.__name__]
        assert cls.__base__ is not None
        assert parent == cls.__base__.__name__, cls
        assert code in (None, cls.exit_code), cls
        inherited = parent != "StackyardError" and cls.exit_code == cls.__base__.exit_code
        assert (code is None) is inherited, cls
        assert cls.exit_code == (code or cls.__base__.exit_code), cls
    assert textwrap.indent(drawing, " " * 4) in (errors.__doc__ or "")


# Pipelines


@pytest.mark.parametrize("kind", KINDS)
def test_every_method_and_capability_of_a_kind(kind: str) -> None:
    """On its own page, and in the table of capabilities."""
    cls = contract(kind)
    text = page(f"{kind.replace('_', '-')}.md")
    methods = {*cls.__abstractmethods__, *(m for ms in cls.optional.values() for m in ms)}
    assert {m for m in methods if f"{m}(" not in text} == set()
    assert {c for c in cls.optional if f"`{c}`" not in text} == set()
    listed = [cells for cells in rows(section("components.md", "## Capabilities"))]
    assert {(c[1].strip("`"), c[2]) for c in listed if c[0] == kind} == {
        (name, ", ".join(f"`{m}`" for m in ms)) for name, ms in cls.optional.items()
    }


def test_every_public_name_is_documented() -> None:
    listed = named(section("pipelines.md", "## Names"))
    assert listed == set(stackyard.__all__)


def test_every_option_of_a_step_and_its_default() -> None:
    text = section("pipelines.md", "## Steps").partition("\n### ")[0].partition("Times are")[0]
    listed = {c[0].strip("`"): c[1].strip("`") for c in rows(text)}
    shown = {
        f.name: f.default if f.default is not dataclasses.MISSING else {}
        for f in dataclasses.fields(StepOptions)
    }
    none = {None: "none", "": '""'}
    assert listed == {
        n: none.get(v, str(v)) if isinstance(v, str | None) else str(v) for n, v in shown.items()
    }


def test_every_option_of_a_pipeline() -> None:
    text = section("pipelines.md", "## Pipelines").partition("\n### ")[0]
    parameters = inspect.signature(stackyard.pipeline).parameters
    assert named(text) - {p for p in PRESETS} == parameters.keys() - {"function"}


@pytest.mark.parametrize("text", sorted(named(section("pipelines.md", "## Period"))))
def test_every_way_to_write_a_period(text: str) -> None:
    assert Period.parse(text).duration.total_seconds() >= 3600


CONTEXT = """
from __future__ import annotations
from typing import NamedTuple
from stackyard import Tracker, from_stack, pipeline, step
class Split(NamedTuple):
    train: list[int]
    test: list[int]
@step
def load() -> list[int]: ...
@step
def split(rows: list[int]) -> Split: ...
@step
def train(rows: list[int], depth: int = 6) -> dict[str, float]: ...
@step
def save(rows: list[int]) -> None: ...
@step
def track(rows: list[int], *, tracker: Tracker = from_stack()) -> None: ...
@pipeline
def flow(depth: int = 6): ...
"""


def refusals() -> list[list[str]]:
    return list(rows(section("pipelines.md", "## What is refused")))


@pytest.mark.parametrize("cells", refusals(), ids=lambda cells: cells[0])
def test_what_is_refused_says_what_stands_there(
    cells: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, said = cells[0].strip("`"), cells[1]
    if code.startswith("@"):
        written = re.sub(r" (?=(?:async )?def )", "\n", code, count=1)
    else:
        written = f"@pipeline\ndef refused(depth: int = 6):\n    rows = load()\n    {code}"
    name = f"refused_{abs(hash((code, tmp_path)))}"
    (tmp_path / f"{name}.py").write_text(f"{CONTEXT}{written}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(PipelineError) as caught:
        module = importlib.import_module(name)
        for found in vars(module).values():
            if isinstance(found, Pipeline) and found.name != "flow":
                found.graph()
    assert said in str(caught.value)


# Stacks


@pytest.mark.parametrize("key", KEYS)
def test_every_key_of_a_stack_file(key: str) -> None:
    assert key in named(section("stacks.md", "## Keys"))


def test_every_key_of_a_pipeline_in_a_stack() -> None:
    text = section("stacks.md", "## Keys").partition("**A pipeline** may have")[2]
    assert set(specs.SECTION_KEYS) <= named(text)
    for key in specs.STEP_KEYS:
        assert f"`{key}`" in text


def test_every_key_of_the_local_orchestrator() -> None:
    text = section("plugins.md", "## The local orchestrator")
    assert named(text) == {f.name for f in dataclasses.fields(LocalConfig)}
    assert f"| `parallel` | `{LocalConfig().parallel}` |" in text


@pytest.mark.parametrize("flavor", load().flavors(), ids=lambda f: f"{f.kind}-{f.name}")
def test_every_key_of_a_flavor_is_described_by_plugin_show(flavor: flavors.Flavor) -> None:
    cls = config_class(flavor)
    docs = field_docs(cls)
    assert [key for key in shape_of(cls).keys if not docs.get(key)] == []
    assert flavor.doc


# The store and the step


@pytest.mark.parametrize("name", ["RunRecord", "AttemptRecord", "EndRecord"])
def test_every_field_of_a_record(name: str) -> None:
    key = {"RunRecord": "run.json", "AttemptRecord": "<step>@<n>.json", "EndRecord": "ends/<n>"}
    text = section("store.md", "## Records")
    [table] = [part for part in text.split("\n\n") if key[name] in part.partition("\n")[0]]
    listed = named(table.partition("\n")[2])
    wanted = {f.name for f in dataclasses.fields(getattr(records, name))}
    missing, unknown = wanted - listed, listed - wanted - RECORD_WORDS
    assert (missing, unknown) == (set(), set())


RECORD_WORDS = {"manual", "schedule"}


def test_every_key_of_the_layout() -> None:
    listed = named(section("store.md", "## Layout"))
    doc = records.__doc__ or ""
    for key in re.findall(r"^    (\w+/\S.*?)(?:  |$)", doc, re.MULTILINE):
        assert key in listed, key
    assert any(key.startswith("artifacts/") for key in listed)


def test_every_format() -> None:
    text = section("store.md", "## Artifacts").partition("The first format")[0]
    assert {c[0].strip("`") for c in rows(text)} == {f.name for f in builtin_formats()}


def test_the_environment_of_a_step() -> None:
    # The name in the package is the decorator.
    doc = importlib.import_module("stackyard.step").__doc__ or ""
    of_step = set(re.findall(r"^    (STACKYARD_\w+)", doc, re.MULTILINE))
    listed = named(section("step-contract.md", "## Environment"))
    assert of_step
    assert of_step <= listed
    codes = set(re.findall(r"\b\d+\b", doc.partition("Exit codes:")[2].partition("\n\n")[0]))
    written = {c[0] for c in rows(section("step-contract.md", "## Exit codes"))}
    assert written == codes == {"0", "1", "2", "99"}


def test_every_environment_variable_is_documented() -> None:
    sources = [*(ROOT / "core").rglob("*.py"), *ROOT.glob("plugins/*/src/**/*.py")]
    used = {
        name
        for source in sources
        for name in re.findall(r"\bSTACKYARD_[A-Z_]*[A-Z]\b", source.read_text(encoding="utf-8"))
    }
    known = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
    # They tell a service's processes whose they are, and an endpoint's processes their folder.
    internal = {"STACKYARD_SERVICE", "STACKYARD_BENTOML_ENDPOINT"}
    assert used - internal - set(re.findall(r"STACKYARD_\w+", known)) == set()


# All pages


def python(path: Path) -> list[Block]:
    return [block for block in blocks(path) if block.language == "python"]


@pytest.mark.parametrize(
    "path", [p for p in PAGES if python(p)], ids=lambda p: os.path.relpath(p, ROOT)
)
def test_python_is_python(path: Path) -> None:
    for block in python(path):
        try:
            ast.parse(block.text)
        except SyntaxError as exc:
            pytest.fail(f"{block}: line {exc.lineno}: {exc.msg}")
