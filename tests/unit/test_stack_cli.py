"""``stackyard stack`` and ``stackyard plugin`` as people and programs use them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fsspec.registry import _registry

from stackyard.cli import output
from stackyard.cli.main import main
from tests.unit.stack_files import LOCAL, install, project

ROOT = Path(__file__).parents[2]
PROD = """
extends: _base
description: Production
vars: {mlflow: "${env:MLFLOW}"}
components:
  tracker: {flavor: mlflow, tracking_uri: "${var:mlflow}", token: "${secret:TOKEN}"}
"""


class Shell:
    """Runs commands in a project and keeps what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.out = self.err = ""

    def __call__(self, *words: str) -> int:
        code = main(words)
        self.out, self.err = self._capsys.readouterr()
        return code

    def json(self, *words: str) -> Any:
        self(*words, "--json")
        return json.loads(self.out)


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    for name in ("STACKYARD_STACK", "STACKYARD_PROJECT", "MLFLOW", "TOKEN"):
        monkeypatch.delenv(name, raising=False)
    project(tmp_path, {"local": LOCAL, "prod": PROD, "_base": LOCAL})
    monkeypatch.chdir(tmp_path)
    return Shell(capsys)


def test_list_marks_the_stack_that_is_used(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "stacks" / "bad.yaml").write_text("a: [")
    assert shell("stack", "list") == 0
    lines = [line.split() for line in shell.out.splitlines()]
    assert lines[1][:2] == ["bad", "error:"]
    assert lines[2] == ["*", "local", "orchestrator=local"]
    assert lines[3] == ["prod", "orchestrator=local", "tracker=mlflow", "Production"]
    document = shell.json("stack", "list")
    assert document["used"] == "local" and document["because"] == "default"
    assert document["stacks"][2]["components"] == {"orchestrator": "local", "tracker": "mlflow"}


def test_use_is_remembered_and_the_environment_rules(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shell("stack", "use", "prod") == 0
    assert shell.json("stack", "list")["used"] == "prod"
    assert shell("stack", "use", "nowhere") == 2
    assert shell.err == (
        "error: unknown stack 'nowhere': there is no stacks/nowhere.yaml. Stacks: local, prod.\n"
    )
    monkeypatch.setenv("STACKYARD_STACK", "local")
    assert shell("stack", "use", "prod") == 0
    assert "STACKYARD_STACK=local is set and rules over it" in shell.err


def test_show_prints_what_is_merged_with_references_as_written(shell: Shell) -> None:
    import yaml

    assert shell("stack", "show", "prod") == 0
    assert yaml.safe_load(shell.out)["components"] == {
        "orchestrator": {"flavor": "local"},
        "tracker": {
            "flavor": "mlflow", "tracking_uri": "${var:mlflow}", "token": "${secret:TOKEN}",
        },
    }  # fmt: skip
    assert shell.err == "stack prod, from stacks/prod.yaml over stacks/_base.yaml\n"
    assert shell.json("stack", "show", "--stack", "prod")["stack"]["description"] == "Production"
    assert shell("stack", "show", "prod", "--stack", "local") == 2


def test_show_resolved_names_the_place_of_every_value(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW", "http://hunter2")
    monkeypatch.setenv("TOKEN", "hunter2")
    values = {v["path"]: v for v in shell.json("stack", "show", "prod", "--resolved")["values"]}
    assert values["components.tracker.tracking_uri"] == {
        "path": "components.tracker.tracking_uri",
        "value": "${env:MLFLOW}",
        "origin": "stacks/prod.yaml:6",
    }
    assert values["components.orchestrator.flavor"]["origin"] == "stacks/_base.yaml:2"
    assert "hunter2" not in shell.out
    assert shell("stack", "show", "prod", "--resolved") == 0
    assert "${secret:TOKEN}" in shell.out and "hunter2" not in shell.out + shell.err


def test_check_lists_all_and_ends_with_2(shell: Shell, tmp_path: Path) -> None:
    assert shell("stack", "check", "prod") == 0
    assert "stacks/prod.yaml:6:43 tracker: environment variable MLFLOW is not set" in shell.err
    assert "secret TOKEN is not set" in shell.err
    (tmp_path / "stacks" / "bad.yaml").write_text(
        "components:\n  orchestrator: {flavor: local, wrkers: 2}\n  tracker: {flavor: mlfow}\n"
    )
    assert shell("stack", "check", "bad") == 2
    errors = [line for line in shell.err.splitlines() if line.startswith("error: ")]
    assert errors == [
        "error: stacks/bad.yaml:2:33 orchestrator (local): unknown key 'wrkers'. "
        "Keys: workers, parallel. Did you mean 'workers'?",
        "error: stacks/bad.yaml:3:21 tracker.flavor: unknown flavor 'mlfow'. "
        "Installed for tracker: mlflow. Did you mean 'mlflow'?",
    ]
    document = shell.json("stack", "check", "bad")
    assert document["ok"] is False and len(document["errors"]) == 2


def test_check_and_doctor_name_the_library_that_the_store_needs(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stacks" / "far.yaml").write_text(f"store: s3://acme/x\n{LOCAL}")
    assert shell("stack", "check", "far") == 0, shell.err
    (tmp_path / "stacks" / "typo.yaml").write_text(f"store: s33://acme/x\n{LOCAL}")
    assert shell("stack", "check", "typo") == 2
    assert "stacks/typo.yaml:1:8 store s33://acme/x: Protocol not known: s33. Use " in shell.err
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(_registry, "s3", raising=False)  # of a test before
    lacking = "store s3://acme/x needs s3fs, which is not installed. Cure: uv pip install "
    assert shell("stack", "check", "far") == 2
    assert shell.err == f"error: stacks/far.yaml:1:8 {lacking}'stackyard[s3]'\n"
    assert shell("doctor", "--stack", "far") == 1
    assert f"store\n  ✗ {lacking}'stackyard[s3]'\n" in shell.out


def test_diff_names_both_sides(shell: Shell) -> None:
    assert shell("stack", "diff", "local", "prod") == 0
    rows = {r["path"]: r for r in shell.json("stack", "diff", "local", "prod")["differences"]}
    assert rows["description"]["first"] is None
    assert rows["description"]["second"] == {"value": "Production", "origin": "stacks/prod.yaml:3"}
    assert "components.orchestrator.flavor" not in rows
    assert shell("stack", "diff", "local", "local") == 0
    assert shell.out == "local and local say the same\n"


def test_schema_is_written_and_checked(shell: Shell, tmp_path: Path) -> None:
    assert shell("stack", "schema", "--out", "s.json", "--check") == 1
    assert shell("stack", "schema", "--out", "s.json") == 0
    assert shell("stack", "schema", "--out", "s.json", "--check") == 0
    assert shell("stack", "schema") == 0
    assert json.loads(shell.out) == json.loads((tmp_path / "s.json").read_text())
    assert shell("stack", "schema", "--check") == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("components: [\n", "stacks/bad.yaml:2:1 not valid YAML"),
        ("x: !!python/object/apply:os.system ['touch pwned']\n", "stacks/bad.yaml:1:4 tag"),
        ("extends: bad\n", "stacks/bad.yaml:1:10 extends: stacks extend each other in a circle"),
        ("extends: ../x\n", "stacks/bad.yaml:1:10 extends: '../x' cannot be the name of a stack"),
        ("vars: {a: '{{ 7*7 }}', b: '${x}'}\n", "stacks/bad.yaml:1:27 reference '${x}'"),
    ],
)
def test_a_bad_file_is_one_line_and_exit_code_2(
    shell: Shell, tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "stacks" / "bad.yaml").write_text(text)
    for words in (("show", "bad"), ("check", "bad"), ("diff", "local", "bad"), ("use", "bad")):
        assert shell("stack", *words) == 2
        (line,) = shell.err.splitlines()
        assert line.startswith(f"error: {says}"), line
    assert not (tmp_path / "pwned").exists()


def test_plugins_are_listed_and_shown(shell: Shell) -> None:
    assert shell("plugin", "list") == 0
    assert "orchestrator=local; formats: plain" in shell.out
    names = {p["name"] for p in shell.json("plugin", "list")["plugins"]}
    assert {"stackyard", "stackyard-mlflow", "stackyard-airflow"} <= names
    for name in ("mlflow", "stackyard-mlflow", "stackyard_mlflow"):
        assert shell("plugin", "show", name) == 0
        assert "tracking_uri  text or null" in shell.out
    keys = shell.json("plugin", "show", "local")["flavors"][0]["keys"]
    assert keys[1]["name"] == "parallel" and keys[1]["default"] == "auto"
    assert shell("plugin", "show", "mlfow") == 2
    assert "Did you mean 'mlflow'?" in shell.err


def test_a_broken_plugin_is_shown_and_hurts_no_command(tmp_path: Path) -> None:
    install(tmp_path / "site", "acme", "import no_such_module")
    project(tmp_path, {"local": LOCAL})
    for words, code in (
        (["plugin", "list"], 0),
        (["stack", "show"], 0),
        (["plugin", "show", "acme"], 2),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "stackyard.cli.main", *words],
            cwd=tmp_path, capture_output=True, text=True,
            env={"PYTHONPATH": str(tmp_path / "site"), "NO_COLOR": "1", "PATH": ""},
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        shown = "plugin acme 1.0 is broken and not used: importing acme_plugin failed: Modu"
        assert (shown in done.stderr) is (words[0] == "plugin")


@pytest.mark.parametrize(
    "words",
    [
        ["stack", "show", "prod"],
        ["stack", "show", "dev", "--resolved"],
        ["stack", "list"],
        ["stack", "diff", "local", "prod"],
        ["plugin", "list"],
    ],
)
def test_looking_at_stacks_imports_no_tool(words: list[str]) -> None:
    code = (
        "import sys; from stackyard.cli.main import main; "
        f"assert main({words!r}) == 0; "
        "heavy = {'airflow', 'mlflow', 'pandas', 'numpy', 'pyarrow', 'fsspec', 'pydantic', "
        "'sklearn', 'skops', 'cloudpickle', 'msgspec', 'rich', 'psutil'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("component", "says"),
    [
        (
            "orchestrator: {flavor: airflow, port: 99999}",
            "orchestrator (airflow): port: 99999 is no port. Ports are 1 to 65535",
        ),
        ("orchestrator: {flavor: airflow, port: 0}", "port: 0 is no port"),
        (
            "orchestrator: {flavor: airflow, url: 'http://127.0.0.1:99999'}",
            "orchestrator (airflow): url: '127.0.0.1:99999' has no possible",
        ),
        (
            "tracker: {flavor: mlflow, tracking_uri: 'http://u:word@127.0.0.1:99999', serve: true}",
            "tracker (mlflow): tracking_uri: '127.0.0.1:99999' has no",
        ),
        (
            "tracker: {flavor: mlflow, tracking_uri: 'http://127.0.0.1:x', serve: true}",
            "tracker (mlflow): tracking_uri: '127.0.0.1:x' has no",
        ),
        (
            "registry: {flavor: mlflow, registry_uri: 'https://models.example:0'}",
            "registry (mlflow): registry_uri: 'models.example:0' has no",
        ),
    ],
)
def test_a_port_that_cannot_be_is_refused(
    shell: Shell, tmp_path: Path, component: str, says: str
) -> None:
    text = "components:\n  " + component + "\n"
    text += "" if "orchestrator" in component else "  orchestrator: {flavor: local}\n"
    (tmp_path / "stacks" / "bad.yaml").write_text(text)
    assert shell("stack", "check", "bad") == 2
    assert re.search(rf"error: stacks/bad.yaml:2:\d+ .*{re.escape(says)}", shell.err)
    assert "word" not in shell.err
    if "registry" not in component:  # it has no service
        assert shell("stack", "up", "--stack", "bad") == 2
        assert says in shell.err and shell.err.count("\n") == 1


def test_plugin_show_says_everything_in_a_narrow_terminal(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "lively", lambda stream: False)  # no colour
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    assert shell("plugin", "show", "airflow") == 0
    said = " ".join(shell.out.split())
    assert "…" not in said and "to come back when it is down." in said
    assert max(len(line) for line in shell.out.splitlines() if line.startswith("    ")) <= 80
