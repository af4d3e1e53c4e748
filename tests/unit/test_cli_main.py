"""The command line's frame: exit codes, one-line errors, what is imported, output helpers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from stackyard.cli import main as cli
from stackyard.cli import output
from stackyard.errors import ConfigError, RunError, StackyardError


def command(monkeypatch: pytest.MonkeyPatch, action) -> None:
    """Make ``stackyard run`` do ``action(args)``."""
    module = types.ModuleType("stub_command")

    def configure(parser):
        parser.add_argument("--json", action="store_true")
        parser.add_argument("--stack", choices=["local", "prod"])

    module.configure = configure
    module.run = action
    monkeypatch.setitem(sys.modules, "stackyard.cli.run", module)


def raiser(error: BaseException):
    def action(args):
        raise error

    return action


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ConfigError("stacks/prod.yaml:7:13 tracker.flavor: unknown flavor"), 2, "error: stacks/"),
        (RunError("step 'train' failed"), 1, "error: step 'train' failed\n"),
        (StackyardError("first line\nsecond line"), 1, "error: first line\nsecond line\n"),
        (KeyboardInterrupt(), 1, "cancelled\n"),
        (PermissionError(13, "Permission denied", "/store"), 2, "error: /store: Permission denied"),
        (OSError(28, "No space left on device"), 2, "error: No space left on device"),
    ],
)
def test_an_error_is_told_without_traceback(monkeypatch, capsys, error, code, line):
    command(monkeypatch, raiser(error))
    assert cli.main(["run"]) == code
    out, err = capsys.readouterr()
    assert err.startswith(line)
    assert "Traceback" not in err
    assert out == ""


@pytest.mark.parametrize("argv", [["-v", "run"], ["run", "-v"], ["run", "--verbose"]])
def test_verbose_shows_the_traceback(monkeypatch, capsys, argv):
    command(monkeypatch, raiser(RunError("no luck")))
    assert cli.main(argv) == 1
    err = capsys.readouterr().err
    assert "Traceback (most recent call last)" in err
    assert err.endswith("error: no luck\n")


def test_a_bug_keeps_its_traceback(monkeypatch):
    command(monkeypatch, raiser(ZeroDivisionError("a bug")))
    with pytest.raises(ZeroDivisionError):
        cli.main(["run"])


def test_an_error_with_json_is_one_document(monkeypatch, capsys):
    command(monkeypatch, raiser(ConfigError("stacks/x.yaml: wrong")))
    assert cli.main(["run", "--json"]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out) == {"error": "stacks/x.yaml: wrong"}
    assert err == "error: stacks/x.yaml: wrong\n"


def test_an_error_after_the_document_adds_no_second_one(monkeypatch, capsys):
    def action(args):
        output.json_document({"run_id": "x"})
        raise RunError("late")

    command(monkeypatch, action)
    assert cli.main(["run", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"run_id": "x"}


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["rum"], ["unknown command 'rum'", "Did you mean 'run'? See: stackyard --help"]),
        (["--bad"], ["unrecognized arguments: --bad"]),
        (["run", "--stack", "prd"], ["unknown value 'prd'", "Known: local, prod", "'prod'?"]),
        (["run", "--jso"], ["unrecognized arguments: --jso"]),
    ],
)
def test_a_wrong_request_is_one_line_and_code_2(monkeypatch, capsys, argv, words):
    command(monkeypatch, lambda args: 0)
    assert cli.main(argv) == 2
    out, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert out == ""
    for word in words:
        assert word in err


def test_with_json_nothing_else_reaches_standard_output():
    """Not what user code prints, nor libraries past Python, nor child processes."""
    code = (
        "import os, subprocess, sys, types; m = types.ModuleType('m')\n"
        "m.configure = lambda p: p.add_argument('--json', action='store_true')\n"
        "def run(a):\n"
        "    from stackyard.cli import output\n"
        "    print('user code')\n"
        "    os.write(1, b'a library\\n')\n"
        "    subprocess.run([sys.executable, '-c', 'print(1)'])\n"
        "    output.json_document({'name': 'é'})\n"
        "    print('more')\n"
        "    return 0\n"
        "m.run = run; sys.modules['stackyard.cli.run'] = m\n"
        "from stackyard.cli.main import main; sys.exit(main(['run', '--json']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"name": "é"}
    assert sorted(done.stderr.split("\n")) == ["", "1", "a library", "more", "user code"]


def test_standard_output_is_itself_again_after_a_document(monkeypatch, capsys):
    command(monkeypatch, lambda args: output.json_document([1]) or 0)
    assert cli.main(["run", "--json"]) == 0
    output.show("later")
    assert capsys.readouterr().out == "[\n  1\n]\nlater\n"


def test_the_command_decides_the_exit_code(monkeypatch):
    command(monkeypatch, lambda args: 1 if args.stack == "prod" else 0)
    assert cli.main(["run"]) == 0
    assert cli.main(["run", "--stack", "prod"]) == 1


def test_a_revealed_secret_is_not_printed(monkeypatch, capsys):
    from stackyard.components.base import Secret

    Secret("${secret:X}", lambda: "hunter2-hunter2").reveal()
    command(monkeypatch, raiser(RunError("login hunter2-hunter2 refused")))
    cli.main(["run", "--json"])
    out, err = capsys.readouterr()
    assert "hunter2" not in out + err
    assert "login *** refused" in err


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("stackyard 0.")


def test_help_imports_no_command_and_no_third_party():
    code = (
        "import sys; from stackyard.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "mine = [m for m in sys.modules if m.startswith('stackyard.cli.')]\n"
        "assert mine == ['stackyard.cli.main'], mine\n"
        "heavy = 'msgspec yaml pluggy rich psutil blake3 pandas numpy pyarrow'.split()\n"
        "assert not set(heavy) & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "run a pipeline on a stack" in done.stdout


def test_a_closed_pipe_is_quiet():
    code = (
        "import sys, types; m = types.ModuleType('m'); m.configure = lambda p: None\n"
        "def run(a):\n"
        "    for i in range(100000): print('line', i)\n"
        "    return 0\n"
        "m.run = run; sys.modules['stackyard.cli.run'] = m\n"
        "from stackyard.cli.main import main; sys.exit(main(['run']))"
    )
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    os.read(reader, 10)
    os.close(reader)
    _, err = process.communicate(timeout=60)
    assert err == ""
    assert process.returncode == 141


def test_table_is_aligned_and_plain_in_a_pipe(capsys):
    output.table(
        [("load", "succeeded", "1.2s"), ("evaluate", "cached", "85ms")], ("step", "status", "time")
    )
    assert capsys.readouterr().out == (
        "step      status     time\nload      succeeded  1.2s\nevaluate  cached     85ms\n"
    )


def test_table_is_coloured_only_in_a_terminal_that_wants_it(monkeypatch):
    class Terminal:
        def isatty(self):
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[32m" in output.table_lines([("a", "succeeded")], ("s", "t"), Terminal())[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in output.table_lines([("a", "succeeded")], ("s", "t"), Terminal())[1]


def test_table_fits_the_terminal_by_cutting_its_last_column(monkeypatch):
    class Terminal:
        def isatty(self):
            return True

    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    rows = [("train", "x" * 60), ("load", "short")]
    lines = output.table_lines(rows, ("step", "why"), Terminal())
    assert lines[1] == "train  " + "x" * 32 + "…"
    assert lines[2] == "load   short"
    assert len(output.table_lines(rows, ("step", "why"))[1]) == 67


def test_a_narrow_terminal_leaves_out_and_shortens_what_matters_least(monkeypatch):
    class Terminal:
        def isatty(self):
            return True

    def table(wide):
        monkeypatch.setenv("COLUMNS", str(wide))
        rows = [("20260101-000000-aaaaaaaa", "2026-01-01 00:00:00", "ada", "w" * 30)]
        headers = ("run", "started", "by", "why")
        lines = output.table_lines(rows, headers, Terminal(), drop=("started", "by"))
        assert max(map(len, lines)) <= wide
        return lines

    monkeypatch.setenv("NO_COLOR", "1")
    assert table(100)[1].endswith("  ada  " + "w" * 30)
    assert table(80)[0].split() == ["run", "started", "by", "why"]
    assert table(80)[1].endswith("…")
    assert table(60)[0].split() == ["run", "by", "why"]
    assert table(48)[0].split() == ["run", "why"]
    assert table(40)[1] == "20260101-000000-aaaaaaaa  wwwwwwwwwwwww…"
    cells = ("*", "https://127.0.0.1:8080/a/b", "x" * 30)
    lines = output.table_lines([cells], ("", "url", "note"), Terminal(), cut=("url", "note"))
    assert lines[1] == "*  https://127.0.0.…  xxxxxxxxxxxxxxxx…"
    assert output.table_lines([cells], ("", "", ""), Terminal(), cut=())[1] == "  ".join(cells)


def test_the_last_column_is_wrapped_and_no_path_is_cut(monkeypatch):
    class Terminal:
        def isatty(self):
            return True

    monkeypatch.setenv("COLUMNS", "44")
    monkeypatch.setenv("NO_COLOR", "1")
    path = "/home/somebody/a/rather-long/path/to/pass-words.json"
    rows = [("airflow", "ready", f"user admin, password in {path}"), ("mlflow", "ready", "")]
    assert output.table_lines(rows, ("service", "", ""), Terminal(), wrap=True) == [
        "service",
        "airflow  ready  user admin, password in",
        f"                {path}",
        "mlflow   ready",
    ]
    assert output.table_lines(rows, ("service", "", ""), wrap=True)[1].endswith(path)  # a pipe


def test_data_cannot_steer_the_terminal(capsys):
    output.table([("a\x1b[2Jb\nc", "é")], ("x", "y"))
    assert "a\\x1b[2Jb\\nc  é\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0851, "85ms"),
        (1.24, "1.2s"),
        (59.99, "1m00s"),
        (185, "3m05s"),
        (7620, "2h07m"),
        (None, ""),
    ],
)
def test_durations(value, text):
    assert output.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(312, "312 B"), (4100, "4.1 kB"), (2 * 10**9, "2.0 GB")]
)
def test_sizes(value, text):
    assert output.size(value) == text


def test_json_document_writes_frozen_values(capsys):
    from stackyard.store.records import ArtifactRef

    output.json_document(
        {"ref": ArtifactRef("d", "plain", "int", 3), "path": Path("a"), "set": {2, 1}}
    )
    assert json.loads(capsys.readouterr().out) == {
        "ref": {"digest": "d", "format": "plain", "type": "int", "size": 3},
        "path": "a",
        "set": [1, 2],
    }
