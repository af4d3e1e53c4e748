"""Finding a project and its pipelines, and loading one with one-line errors."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackyard import importing
from stackyard.errors import ConfigError, PipelineError, UsageError
from stackyard.project import Project, find_project

FLOW = """
from stackyard import pipeline, step

@step
def load() -> int:
    return 1

@pipeline
def {name}():
    load()
"""


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    path = list(sys.path)
    yield
    importing.use_roots(())
    sys.path[:] = path


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "work"
    for folder in ("stacks", "dags/generated", "src/lib"):
        (root / folder).mkdir(parents=True)
    (root / "dags/first.py").write_text(FLOW.format(name="first"))
    monkeypatch.delenv("STACKYARD_PROJECT", raising=False)
    monkeypatch.chdir(root)
    return root


def write(root: Path, name: str, text: str) -> Path:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def refused(reference: str) -> str:
    with pytest.raises(PipelineError) as error:
        find_project().load(reference)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_root_is_the_nearest_folder_upward_with_stacks(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = root / "dags" / "deep"
    deep.mkdir()
    expected = Project(root, (root / "dags", root / "src"))
    assert find_project(deep) == find_project() == expected
    monkeypatch.chdir(deep)
    assert find_project() == expected


def test_the_environment_names_a_project(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    with pytest.raises(UsageError, match=r"holds stacks/.*STACKYARD_PROJECT.*stackyard init"):
        find_project()
    monkeypatch.setenv("STACKYARD_PROJECT", str(root))
    assert find_project().root == root
    monkeypatch.setenv("STACKYARD_PROJECT", str(root / "none"))
    with pytest.raises(UsageError, match=r"STACKYARD_PROJECT: .* is no folder"):
        find_project()


def test_more_code_roots_stand_in_pyproject(root: Path) -> None:
    (root / "lib").mkdir()
    write(root, "pyproject.toml", '[tool.stackyard]\ncode = ["lib", "src"]\n')
    assert find_project().code_roots == (root / "dags", root / "src", root / "lib")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('code = "lib"', r"pyproject.toml:2:1 tool.stackyard.code: 'lib' is no list"),
        ('code = ["nope"]', r"pyproject.toml:2:1 .* the folder 'nope' does not exist"),
        ('code = ["../other"]', "'../other' is not a folder below the project's root"),
        ('code = ["."]', "'.' is not a folder below"),
        ("code = [", r"pyproject.toml:2:1 "),
        ("code = ]", r"pyproject.toml:2:8 "),
    ],
)
def test_wrong_code_roots(root: Path, text: str, message: str) -> None:
    write(root, "pyproject.toml", f"[tool.stackyard]\n{text}\n")
    with pytest.raises(ConfigError, match=message):
        find_project()


def test_pipelines_are_found_by_reading(root: Path) -> None:
    write(root, "dags/raises.py", FLOW.format(name="raises") + "raise RuntimeError\n")
    write(root, "dags/generated/dag.py", FLOW.format(name="generated"))
    write(root, "dags/.hidden/x.py", FLOW.format(name="hidden"))
    write(root, "dags/broken.py", "from stackyard import pipeline\ndef (:\n")
    write(root, "dags/nul.py", "from stackyard import pipeline\n\0")
    write(root, "src/lib/deep.py", FLOW.format(name="deep"))
    write(
        root,
        "dags/forms.py",
        "import stackyard as sy\nfrom stackyard import pipeline as flow\n"
        "from kedro import pipeline\n"
        "@sy.pipeline(schedule='@daily')\ndef dotted(): ...\n"
        "@flow(name='other')\ndef renamed(): ...\n"
        "@pipeline\ndef foreign(): ...\n"
        "def plain(): ...\n",
    )
    assert find_project().pipelines() == {
        "deep": root / "src/lib/deep.py",
        "dotted": root / "dags/forms.py",
        "first": root / "dags/first.py",
        "other": root / "dags/forms.py",
        "raises": root / "dags/raises.py",
    }
    assert "raises" not in sys.modules


def test_loading_by_name_and_by_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root, "src/lib/__init__.py", "")
    write(root, "src/lib/flows.py", FLOW.format(name="one") + FLOW.format(name="two"))
    project = find_project()
    assert project.load("first").graph().steps[0].target == "first:load"
    assert project.load("dags/first.py").name == "first"
    assert project.load(str(root / "dags/first.py")).name == "first"
    assert project.load("src/lib/flows.py:two").graph().source == "lib/flows.py:two"
    assert project.load("one") is project.load("src/lib/flows.py:one")
    assert "has several pipelines: one, two. Name one" in refused("src/lib/flows.py")
    assert "no pipeline 'three'. Pipelines: one, two." in refused("src/lib/flows.py:three")
    monkeypatch.chdir(root / "stacks")
    assert project.load("../dags/first.py").name == "first"


def test_a_pipeline_is_called_by_its_name_or_by_that_of_its_function(root: Path) -> None:
    write(
        root,
        "dags/named.py",
        FLOW.format(name="inner").replace("@pipeline", "@pipeline(name='outer')"),
    )
    assert find_project().load("outer").name == "outer"
    assert find_project().load("dags/named.py:inner").name == "outer"


def test_imported_pipelines_belong_to_their_own_file(root: Path) -> None:
    write(root, "dags/second.py", "from first import first\n" + FLOW.format(name="second"))
    assert find_project().load("dags/second.py").name == "second"


def test_an_unknown_pipeline_lists_what_exists(root: Path) -> None:
    assert refused("frist") == (
        "there is no pipeline 'frist'. Pipelines: first. Did you mean 'first'?"
    )
    assert "'dags/none.py' does not exist. Pipelines: first" in refused("dags/none.py")
    write(root, "dags/empty.py", "")
    assert refused("dags/empty.py") == "dags/empty.py: no function is marked @pipeline"


def test_a_project_without_pipelines_says_what_one_is(root: Path) -> None:
    (root / "dags/first.py").unlink()
    assert "none yet; a pipeline is a function marked @pipeline" in refused("first")


@pytest.mark.parametrize(
    "name",
    ["../first", "a'b", 'a"b', "a\nb", "{{ first }}", "first; rm", "", "a b", "first:x", "ä"],
)
def test_names_that_may_not_reach_a_path_are_refused(root: Path, name: str) -> None:
    assert refused(name).startswith(f"{name!r} is no pipeline. Give a name (first) or a file")


@pytest.mark.parametrize("name", ["{{ x }}.py", "a\nb.py", "../../../etc/passwd.py", "x.py:a b"])
def test_files_that_do_not_exist_are_refused_on_one_line(root: Path, name: str) -> None:
    assert "does not exist" in refused(name)


def test_a_file_outside_of_the_code_is_refused(root: Path, tmp_path: Path) -> None:
    write(tmp_path, "flow.py", FLOW.format(name="outside"))
    write(root, "flow.py", FLOW.format(name="outside"))
    for reference in ("../flow.py", "flow.py", "dags/../../flow.py"):
        message = refused(reference)
        assert "is outside of the project's code" in message
        assert "Code is in: dags, src." in message


def test_links_are_followed(root: Path, tmp_path: Path) -> None:
    write(tmp_path, "flow.py", FLOW.format(name="linked"))
    (root / "dags/link.py").symlink_to(tmp_path / "flow.py")
    (tmp_path / "way").symlink_to(root)
    assert find_project().load("linked").graph().steps[0].target == "link:load"
    assert find_project().load("dags/link.py").name == "linked"
    assert find_project().load(str(tmp_path / "way/dags/first.py")).name == "first"


def test_a_file_whose_name_cannot_be_imported_is_refused(root: Path) -> None:
    write(root, "dags/my-flow.py", FLOW.format(name="flow"))
    assert "'my-flow' is no module name" in refused("dags/my-flow.py")
    assert "'my-flow' is no module name" in refused("flow")


def test_one_name_in_two_files_is_refused(root: Path) -> None:
    write(root, "dags/also.py", FLOW.format(name="first"))
    message = refused("first")
    assert "defined in 2 files: dags/also.py, dags/first.py" in message
    assert find_project().load("dags/also.py:first").name == "first"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def (:\n", "dags/bad.py:1: SyntaxError: "),
        ("x = 1\n  y = 2\n", "dags/bad.py:2: IndentationError: unexpected indent"),
        (
            "import stackyard\nimport nothing_here\n",
            "dags/bad.py:2: ModuleNotFoundError: No module",
        ),
        ("\n1 / 0\n", "dags/bad.py:2: ZeroDivisionError: division by zero"),
        ("import helping\n", "dags/helping.py:3: ValueError: two lines"),
        ("raise SystemExit(3)\n", "dags/bad.py:1: SystemExit: 3"),
        ("from stackyard import nothing\n", "dags/bad.py:1: ImportError: cannot import name"),
        (
            "from stackyard import step\n@step\nasync def load(): ...\n",
            "dags/bad.py:2: step 'load' is async",
        ),
    ],
)
def test_a_file_that_cannot_be_imported_names_its_line(root: Path, text: str, message: str) -> None:
    write(root, "dags/helping.py", "def f():\n    pass\nraise ValueError('two\\nlines')\n")
    write(root, "dags/bad.py", text)
    assert refused("dags/bad.py").startswith(message)


def test_a_missing_library_says_what_to_do(root: Path) -> None:
    write(root, "dags/bad.py", "import nothing_here\n")
    assert refused("dags/bad.py").endswith(
        "Install it into this environment, or import it inside the step that needs it"
    )


def test_a_misspelt_mark_is_named_with_its_line(root: Path) -> None:
    text = FLOW.format(name="second").replace("@pipeline", "@pipelin")
    line = text.split("\n").index("@pipelin") + 1
    write(root, "dags/second.py", text)
    assert refused("second") == (
        f"dags/second.py:{line}: 'second' is marked @pipelin, which is not defined. "
        "Write @pipeline, after: from stackyard import pipeline"
    )
    assert refused("dags/second.py:second") == (
        f"dags/second.py:{line}: NameError: name 'pipelin' is not defined. Did you mean 'pipeline'?"
    )


def test_a_pipeline_in_a_file_that_cannot_be_read_is_mentioned(root: Path) -> None:
    write(root, "dags/bad.py", "from stackyard import pipeline\n@pipeline\ndef bad(:\n")
    message = refused("bad")
    assert message.startswith("there is no pipeline 'bad'. Pipelines: first.")
    assert "Files that cannot be read: dags/bad.py:3: " in message


def test_what_an_import_prints_goes_to_standard_error(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(root, "dags/loud.py", "print('hello')\n" + FLOW.format(name="loud"))
    find_project().load("loud")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "hello\n")


def test_a_pipeline_that_stands_twice_in_a_file_is_refused(root: Path) -> None:
    write(root, "dags/twice.py", FLOW.format(name="twice") + FLOW.format(name="twice"))
    assert refused("twice") == (
        "pipeline 'twice' is defined 2 times in dags/twice.py. Keep one, or rename the others"
    )


def test_a_module_name_that_is_taken_is_refused(root: Path) -> None:
    write(root, "dags/json.py", FLOW.format(name="taken"))
    assert "dags/json.py:1: the module name 'json' belongs to" in refused("taken")


def test_two_projects_in_one_process_do_not_mix(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "stacks").mkdir(parents=True)
    write(other, "dags/first.py", FLOW.format(name="first").replace("load", "fetch"))
    assert find_project(root).load("first").graph().steps[0].name == "load"
    assert find_project(other).load("first").graph().steps[0].name == "fetch"
    assert find_project(root).load("first").graph().steps[0].name == "load"
    assert str(other / "dags") not in sys.path
