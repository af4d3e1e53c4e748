"""``stackyard plugin new`` writes what installs, reads well and overwrites nothing."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from stackyard.errors import UsageError
from stackyard.plugin_points import POINTS
from stackyard.scaffold import TEMPLATE, compatible, names_of, plugin_files
from tests.projects import enter, stackyard

ALL = list(POINTS)


def write(folder: Path, name: str, points: list[str]) -> Path:
    for file, text in plugin_files(names_of(name, points), points).items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("distribution", "points", "package", "flavor", "prefix"),
    [
        ("acme-tracker", ["tracker"], "acme_tracker", "acme", "Acme"),
        ("big-co-feature-store", ["feature_store"], "big_co_feature_store", "big-co", "BigCo"),
        ("acme-tools", ["tracker", "validator"], "acme_tools", "acme-tools", "AcmeTools"),
        ("tracker", ["tracker"], "tracker", "tracker", "Tracker"),
        ("a1", ["tracker"], "a1", "a1", "A1"),
    ],
)
def test_names(
    distribution: str, points: list[str], package: str, flavor: str, prefix: str
) -> None:
    names = names_of(distribution, points)
    assert (names.package, names.flavor, names.prefix) == (package, flavor, prefix)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Acme Runs", "e.g. 'acme-runs'"),
        ("acme_runs", "e.g. 'acme-runs'"),
        ("../acme", "e.g. 'acme'"),
        ("9", "with a letter first"),
        ("", "with a letter first"),
        ("a" * 61, "use up to 60"),
        ("acme--runs", "e.g. 'acme-runs'"),
        ("acme'; import os", "e.g. 'acme-import-os'"),
        ("größe", "use up to 60 lower-case ASCII"),
        ("json", "json/__init__.py. Choose another name"),
        ("class", "'class' is a word of Python's own"),
        ("pytest", "a module 'pytest' is there already"),
    ],
)
def test_what_cannot_be_a_name(name: str, says: str) -> None:
    with pytest.raises(UsageError, match=re.escape(says)):
        names_of(name, ["tracker"])


def test_no_name_of_the_template_is_left(tmp_path: Path) -> None:
    """Nor a blank that was not filled in; whatever the names are."""
    files = plugin_files(names_of("zeta-tools", ALL), ALL)
    for file, text in files.items():
        assert not re.search("acme", f"{file}{text}", re.IGNORECASE), file
        assert not re.search(r"<[A-Z]+>", text), file
    assert set(files) >= {f"src/zeta_tools/{point}.py" for point in ALL}


def test_the_hooks_offer_exactly_what_was_asked_for() -> None:
    plugin = plugin_files(names_of("zeta-tracker", ["tracker"]), ["tracker"])
    tree = ast.parse(plugin["src/zeta_tracker/plugin.py"])
    assert [n.name for n in tree.body if isinstance(n, ast.FunctionDef)] == ["stackyard_flavors"]
    project = tomllib.loads(plugin["pyproject.toml"])["project"]
    assert project["entry-points"] == {"stackyard.plugins": {"zeta-tracker": "zeta_tracker.plugin"}}
    assert project["dependencies"] == [f"stackyard {compatible(metadata.version('stackyard'))}"]


@pytest.mark.parametrize(
    ("version", "versions"),
    [
        ("0.1.0", ">=0.1,<0.2"),
        ("0.9.3", ">=0.9,<0.10"),
        ("1.2.0rc1", ">=1.2.0rc1,<2"),
        ("0.2rc1", ">=0.2rc1,<0.3"),
    ],
)
def test_it_asks_for_the_versions_that_keep_the_promise(version: str, versions: str) -> None:
    """docs/explanation/compatibility.md, "How long"."""
    assert compatible(version) == versions
    assert SpecifierSet(versions).contains(version, prereleases=True)


def test_a_core_without_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where it is run from its source: the plugin then asks for whichever there is."""
    monkeypatch.setattr("stackyard.distributions.installed", lambda group: {})
    files = plugin_files(names_of("zeta-tracker", ["tracker"]), ["tracker"])
    assert tomllib.loads(files["pyproject.toml"])["project"]["dependencies"] == ["stackyard"]


@pytest.mark.parametrize("points", [*([p] for p in ALL), ALL], ids="-".join)
def test_a_linter_has_nothing_against_it(points: list[str], tmp_path: Path) -> None:
    """With the widest line of the field's usual settings, and names longer than the template's."""
    for name in ("zeta-tools", "a-company-of-some-size"):
        folder = write(tmp_path / name, name, points)
        done = subprocess.run(
            [sys.executable, "-m", "ruff", "check", "--isolated", "--line-length=120",
             "--select=E,F,I,B,UP", "."],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout


def test_its_types_are_sound(tmp_path: Path) -> None:
    folder = write(tmp_path, "zeta-tools", ALL)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--follow-imports=silent",
         "src"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_command_overwrites_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(tmp_path, monkeypatch)
    words = ("plugin", "new", "zeta-tracker", "--kind", "tracker")
    code, out, said = stackyard(*words)
    assert code == 0 and "zeta-tracker/src/zeta_tracker/tracker.py" in out
    assert 'uv pip install -e ".[test]"' in said
    before = {p: p.read_bytes() for p in Path("zeta-tracker").rglob("*") if p.is_file()}
    code, _, said = stackyard(*words)
    assert code == 2 and "nothing was written" in said and "--dir DIR" in said
    assert {p: p.read_bytes() for p in Path("zeta-tracker").rglob("*") if p.is_file()} == before
    code, out, _ = stackyard(*words, "--dir", "elsewhere")
    assert code == 0 and Path("elsewhere/pyproject.toml").is_file()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["x", "--kind", "trackr"], "there are"),
        (["x", "--kind", "trackr"], "Did you mean 'tracker'?"),
        (["x"], "--kind"),
        (["X", "--kind", "tracker"], "e.g. 'x'"),
        (["x", "--kind", "tracker", "--dir", "there/src/x"], "there: is a file. Name a folder"),
        (["x", "--kind", "tracker", "--dir", "."], "src: is a file. Name a folder"),
        (["x", "--kind", "tracker", "--dir", "x" * 300], "File name too long"),
        (["local-orchestrator", "--kind", "orchestrator"], "orchestrator 'local' is there already"),
        (["plain-format", "--kind", "format"], "format 'plain' is there already, from stackyard"),
    ],
)
def test_wrong_words(
    words: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(tmp_path, monkeypatch, {"there": "", "src": ""})
    code, out, said = stackyard("plugin", "new", *words)
    assert (code, out) == (2, "") and says in said
    assert {path.name for path in tmp_path.iterdir()} == {"there", "src"}


def test_a_kind_with_a_dash_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is written in names of distributions; given twice it counts once."""
    enter(tmp_path, monkeypatch)
    kind = next((p for p in ALL if "_" in p), ALL[0])
    words = ["--kind", kind.replace("_", "-"), "--kind", kind]
    assert stackyard("plugin", "new", "zeta", *words)[0] == 0
    assert (tmp_path / f"zeta/src/zeta/{kind}.py").is_file()


def test_every_template_is_of_a_point() -> None:
    sources = {p.stem for p in TEMPLATE.glob("src/acme_tools/*.py")}
    assert sources == set(ALL)
    assert {p.stem for p in TEMPLATE.glob("tests/*.py")} == {f"test_{name}" for name in ALL}
