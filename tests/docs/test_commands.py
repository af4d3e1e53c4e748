"""The commands of the documentation are run, and print what the pages say.

CONTRIBUTING.md, "Documentation", has the conventions.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from stackyard.cli.main import build_parser
from stackyard.errors import UsageError
from tests.docs.pages import (
    DOCS,
    ROOT,
    Block,
    Reader,
    blocks,
    commands,
    compare,
    environment,
    merged,
)
from tests.ports import free_port

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")])
README = ROOT / "README.md"
TUTORIAL = DOCS / "tutorial" / "first-pipeline.md"
FIRST_PLUGIN = DOCS / "tutorial" / "first-plugin.md"
S3 = DOCS / "how-to" / "store-on-s3.md"
NOTEBOOK = DOCS / "how-to" / "use-in-a-notebook.md"
REPLACE = DOCS / "how-to" / "replace-a-tool.md"
LOOP = DOCS / "how-to" / "retrain-on-drift.md"
HOW_TO = sorted(set((DOCS / "how-to").glob("*.md")) - {S3, NOTEBOOK, REPLACE, LOOP})


def follow(path: Path, reader: Reader, *, slow: bool) -> int:
    """Follow a page in the reader's folder, and leave no service behind.

    Returns how many blocks were run.
    """
    reader.swaps |= {"8080": str(free_port()), "5001": str(free_port())}
    try:
        return reader.follow(blocks(path), slow=slow)
    finally:
        reader.leave()


SAID = (
    "plugins/*/README.md", "examples/*/README.md", "core/**/*.md", "core/**/*.py",
    "plugins/*/src/**/*.py", "dags/*.py",
)  # fmt: skip


@pytest.mark.parametrize(
    "path",
    [*PAGES, *(p for folder in SAID for p in ROOT.glob(folder))],
    ids=lambda p: p.relative_to(ROOT).as_posix(),
)
def test_nothing_tells_to_install_with_the_pip_of_another_environment(path: Path) -> None:
    """An environment that uv made has no pip: the shell then finds one of elsewhere."""
    text = path.read_text("utf-8")
    assert set(re.findall(r"\S*(?<!uv )pip install", text)) <= {".uv/bin/pip install"}


def told(path: Path) -> list[tuple[Block, list[str]]]:
    """Every ``stackyard`` command of a page."""
    shell = [block for block in blocks(path) if block.language == "sh"]
    return [(block, words) for block in shell for words in commands(block)]


@pytest.mark.parametrize(
    "path", [p for p in PAGES if told(p)], ids=lambda p: p.relative_to(ROOT).as_posix()
)
def test_every_command_is_one(path: Path) -> None:
    """Also those that need another machine: the command line knows their words."""
    parser = build_parser("*")
    for block, words in told(path):
        try:
            parser.parse_args(words)
        except UsageError as exc:
            pytest.fail(f"{block}: {exc}")
        except SystemExit as exc:  # --help
            assert exc.code == 0, f"{block}: stackyard {' '.join(words)}"


# The tutorial


def test_the_tutorial(tmp_path: Path) -> None:
    assert follow(TUTORIAL, Reader(tmp_path), slow=False) > 0


@pytest.mark.full
def test_the_tutorial_to_its_end(tmp_path: Path) -> None:
    assert follow(TUTORIAL, Reader(tmp_path), slow=True) > 0


def test_the_tutorial_on_plugins(tmp_path: Path) -> None:
    """In an environment of its own, as the page makes it."""
    (tmp_path / "stackyard").symlink_to(ROOT)
    assert follow(FIRST_PLUGIN, Reader(tmp_path), slow=False) > 0


# The how-to pages: each in a copy of one project that was run once


@pytest.fixture(scope="session")
def run_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with which a how-to page begins."""
    reader = Reader(tmp_path_factory.mktemp("run_once"))
    reader.run(Block("", 0, "sh", (), "stackyard init iris && cd iris && stackyard run iris"))
    return reader.cwd


@pytest.fixture
def reader(run_once: Path, tmp_path: Path) -> Reader:
    """Somebody in that project."""
    shutil.copytree(run_once, tmp_path / "iris")
    reader = Reader(tmp_path)
    reader.run(Block("", 0, "sh", (), "cd iris"))
    return reader


def has_slow(path: Path) -> bool:
    return any("slow" in block.words for block in blocks(path))


def has_quick(path: Path) -> bool:
    return any(block.is_run(slow=False) for block in blocks(path))


@pytest.mark.parametrize("path", [p for p in HOW_TO if has_quick(p)], ids=lambda p: p.stem)
def test_a_how_to_page(path: Path, reader: Reader) -> None:
    assert follow(path, reader, slow=False) > 0


@pytest.mark.full
@pytest.mark.parametrize("path", [p for p in HOW_TO if has_slow(p)], ids=lambda p: p.stem)
def test_a_how_to_page_with_its_services(path: Path, reader: Reader) -> None:
    assert follow(path, reader, slow=True) > 0


def test_the_page_about_s3(reader: Reader, s3_url: str) -> None:
    names = [name for name in os.environ if name.startswith("AWS_")]
    reader.env = {name: os.environ[name] for name in names}
    reader.swaps["s3://acme-ml/stackyard"] = s3_url
    assert follow(S3, reader, slow=False) > 0


def test_the_page_about_replacing_a_tool(reader: Reader) -> None:
    """Its plugin is on the path as if it had been installed."""
    source = reader.cwd / "acme" / "src"
    installed = source / "acme_features-1.0.dist-info"
    installed.mkdir(parents=True)
    metadata = "Metadata-Version: 2.1\nName: acme-features\nVersion: 1.0\n"
    metadata += "Requires-Dist: stackyard\nRequires-Dist: pandas\nRequires-Dist: pyarrow\n"
    (installed / "METADATA").write_text(metadata)
    points = "[stackyard.plugins]\nacme-features = acme_features.plugin\n"
    (installed / "entry_points.txt").write_text(points)
    reader.env = {"PYTHONPATH": str(source)}
    assert follow(REPLACE, reader, slow=False) > 0


def test_the_page_about_notebooks(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    page = [block for block in blocks(NOTEBOOK) if block.language in ("python", "text")]
    cells = [nbformat.v4.new_code_cell(b.text) for b in page if b.language == "python"]
    notebook = nbformat.v4.new_notebook(cells=cells)
    for name, value in environment(reader.env).items():
        monkeypatch.setenv(name, value)
    where = {"metadata": {"path": str(reader.cwd)}}
    nbclient.NotebookClient(notebook, timeout=240, kernel_name="python3", resources=where).execute()
    number, compared = -1, 0
    for block in page:
        if block.language == "python":
            number += 1
        else:
            outputs = notebook.cells[number].outputs
            printed = "".join(o.text for o in outputs if o.get("name") == "stdout")
            compare(block.text, printed, block)
            compared += 1
    assert compared > 0


# The README, and the page about this project's own pipelines


@pytest.fixture
def flights(tmp_path: Path) -> Reader:
    """Somebody in a copy of this project."""
    for name in ("dags", "stacks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return Reader(tmp_path, {"STACKYARD_AIRFLOW_PORT": str(free_port())})


@pytest.mark.full
@pytest.mark.timeout(600)  # Airflow, and two models that are served
def test_the_readme(flights: Reader) -> None:
    """Commands of the README's section on pipelines, also on Airflow."""
    text = README.read_text(encoding="utf-8").splitlines()
    begin = text.index("## A pipeline")
    page = [b for b in blocks(README) if b.line > begin and b.language == "sh"]
    try:
        assert flights.follow(page, slow=True) > 0
    finally:
        flights.leave()


@pytest.mark.full
@pytest.mark.timeout(900)  # seven runs, and two models are served
def test_the_page_about_the_loop(flights: Reader) -> None:
    assert follow(LOOP, flights, slow=True) > 0


# What the tests rely on


def test_what_was_not_printed_is_found() -> None:
    block = Block("page.md", 1, "text", (), "")
    compare("load  succeeded  15ms\n...\nrun 20261121-093014-a8b6c75f\n", PRINTED, block)
    compare("train  ...  1.5s\n", PRINTED, block)
    for wrong in ("load  failed  15ms", "train  succeeded  2.0s\nload  succeeded  1ms", "load"):
        with pytest.raises(AssertionError, match="was not printed"):
            compare(wrong, PRINTED, block)


PRINTED = "load   succeeded  1.2s\ntrain  succeeded  31ms\nrun 20250101-000000-00000000\n"


def test_a_command_that_ends_otherwise_is_found(tmp_path: Path) -> None:
    for words, text in (((), "false"), (("exits=2",), "true"), ((), "false; true")):
        with pytest.raises(AssertionError, match="exit code"):
            Reader(tmp_path).run(Block("page.md", 1, "sh", words, text))


def test_a_file_is_changed_as_a_reader_would() -> None:
    before = "import a\nfrom b import c\n\nX = 1\n\n\n@pipeline\ndef flow():\n    pass\n"
    changes = "from b import c, d\n\n\n@step\ndef new():\n    pass\n\n\nX = 2\nimport e\n"
    assert merged(before, changes) == (
        "import a\nfrom b import c, d\nimport e\n\nX = 2\n\n\n@step\ndef new():\n    pass\n\n\n"
        "@pipeline\ndef flow():\n    pass\n"
    )
