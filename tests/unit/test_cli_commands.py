"""run, compile, publish, doctor, stack up and down in a real project with a plugin of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent

import pytest

from stackyard.supervisor import Supervisor
from tests.e2e.background import until
from tests.ports import free_port

PIPELINE = """
    from stackyard import Tracker, from_stack, pipeline, step

    print("the module is imported")

    @step(cache=True)
    def load(count: int = 3) -> list[int]:
        print("loading", count)
        return list(range(count))

    @step
    def total(rows: list[int], *, tracker: Tracker | None = from_stack()) -> int:
        if len(rows) == 13:
            raise ValueError("unlucky\\nnumber")
        if tracker is not None:
            tracker.log_metrics({"rows": len(rows)})
        return sum(rows)

    @pipeline
    def adding(count: int = 3) -> None:
        total(load(count))

    @pipeline
    def waiting() -> None:
        wait()

    @step
    def wait() -> int:
        import time
        from pathlib import Path
        Path("waiting").touch()
        time.sleep(60)
        return 1
"""
PLUGIN = """
    import json
    import sys
    import time
    from dataclasses import dataclass
    from stackyard.components.base import Command, Finding, Secret, Service
    from stackyard.components.orchestrator import Orchestrator, RunOutcome
    from stackyard.components.tracker import Tracker, TrackingRun
    from stackyard.errors import Unavailable
    from stackyard.flavors import Flavor
    from stackyard.hookspecs import hookimpl

    @dataclass(frozen=True)
    class Config:
        file: str = "{pipeline}.txt"
        check: str = ""
        port: int = 0
        down: bool = False
        token: Secret | None = None

    class Toy(Orchestrator):
        @property
        def capabilities(self):
            return frozenset({"compile"})

        def run(self, request, settings, watch):
            return RunOutcome("succeeded")

        def compile(self, graph, settings, stack):
            steps = "".join(f"{s.name}\\n" for s in graph.steps)
            return {self.config.file.replace("{pipeline}", graph.name): f"{stack}\\n{steps}"}

    class Book(Tracker):
        def check(self):
            if self.config.check == "hang":
                time.sleep(60)
            if self.config.check == "raise":
                raise ZeroDivisionError("oh")
            if self.config.check == "bad":
                return [Finding(False, "no book", "buy one")]
            print("noise")
            return [Finding(True, "the book is there")]

        def services(self):
            if not self.config.port:
                return ()
            argv = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1"]
            argv.append(str(self.config.port))
            url = f"http://127.0.0.1:{self.config.port}/"
            return [Service("book", [Command("web", argv, ready=url, port=self.config.port)], url)]

        def _file(self, name):
            if self.config.down:
                raise Unavailable("the book is closed")
            if self.config.token is not None:
                raise ValueError(f"no book for {self.config.token.reveal()}")
            return self.context.project / f"{name}.json"

        def open(self, run, tracking_id):
            return TrackingRun(tracking_id or run.run_id, f"http://127.0.0.1/book/{run.run_id}")

        def write(self, tracking_id, entries):
            self._file(tracking_id).write_text(json.dumps([e.key for e in entries]))

        def discard(self, tracking_id):
            pass

        def finish(self, tracking_id, run):
            self._file(tracking_id)

    @hookimpl
    def stackyard_flavors():
        yield Flavor("orchestrator", "toy", "toyplugin:Toy", "toyplugin:Config")
        yield Flavor("tracker", "toy", "toyplugin:Book", "toyplugin:Config")
"""


class Place:
    """A project, and a folder of installed plugins beside it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "project"
        self.site = folder / "site"
        self.write("dags/adding.py", PIPELINE)
        self.write("stacks/local.yaml", "components: {orchestrator: {flavor: local}}\n")
        self.write("../site/toyplugin.py", PLUGIN)
        self.plugin("toyplugin", "toyplugin")

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
        return path

    def stack(self, name: str, components: str) -> None:
        self.write(f"stacks/{name}.yaml", f"components: {{{components}}}\n")

    def plugin(self, name: str, module: str) -> None:
        info = f"../site/{name}-1.0.dist-info"
        self.write(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        self.write(f"{info}/entry_points.txt", f"[stackyard.plugins]\n{name} = {module}\n")

    def start(self, *argv: str, **env: str) -> subprocess.Popen[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("STACKYARD_")}
        return subprocess.Popen(
            [sys.executable, "-m", "stackyard.cli.main", *argv],
            cwd=self.root, env={**kept, "PYTHONPATH": str(self.site), **env}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def call(self, *argv: str, code: int = 0, **env: str) -> tuple[str, str]:
        process = self.start(*argv, **env)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code, out + err
        assert code == 1 or "Traceback" not in err
        return out, err

    def json(self, *argv: str, code: int = 0, **env: str):
        return json.loads(self.call(*argv, "--json", code=code, **env)[0])


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path)
    yield made
    supervisor = Supervisor(made.root)
    for name in supervisor.names():
        supervisor.down(name)


def test_run_tells_what_ran_and_then_what_was_cached(place):
    out, err = place.call("run", "adding", "--param", "count=4")
    assert out == ""
    lines = [line for line in err.splitlines() if line != "the module is imported"]
    assert lines[0].split()[:2] == ["load", "succeeded"]
    assert lines[1].split()[:2] == ["total", "succeeded"]
    assert lines[2].startswith("succeeded in ")
    assert ": 2 ran  run 2" in lines[2]
    _, err = place.call("run", "adding", "--param", "count=4", "--explain")
    assert "\nload   cached     nothing it depends on changed" in err
    assert ": 2 cached  run 2" in err
    found = place.json("run", "adding", "--param", "count=5")  # the module prints, and yet
    assert (found["pipeline"], found["stack"], found["status"]) == ("adding", "local", "succeeded")
    assert [(s["name"], s["status"], s["attempt"]) for s in found["steps"]] == [
        ("load", "succeeded", 1),
        ("total", "succeeded", 1),
    ]
    output = found["steps"][1]["outputs"]["result"]
    assert len(output["digest"]) == 64 and output["type"] == "int"
    assert {"run_id", "seconds", "tracking_url", "error"} <= set(found)


def test_a_failing_run_shows_the_log_and_what_to_type(place):
    _, err = place.call("run", "dags/adding.py:adding", "--param", "count=13", code=1)
    lines = err.splitlines()
    assert "total  failed" in err
    assert lines.count("error: step 'total' failed: ValueError: unlucky") == 1
    assert "Traceback (most recent call last):" in err  # the step's own
    run_id = lines[-1].rpartition(" ")[2]
    resume = f"stackyard run dags/adding.py:adding --stack local --resume {run_id}"
    assert lines[-1] == f"continue: {resume}"
    assert lines[-2] == f"look: stackyard runs show {run_id}"
    found = place.json("run", "adding", "--param", "count=13", code=1)
    assert found["status"] == "failed"
    assert "unlucky" in found["error"]
    assert [s["status"] for s in found["steps"]] == ["cached", "failed"]


def test_what_a_step_raised_does_not_steer_the_terminal(place):
    place.write("dags/steering.py", PIPELINE.replace("adding", "steering").replace(
        "unlucky\\nnumber", "\\x1b[31mred\\nand more"
    ).replace("waiting", "other"))  # fmt: skip
    _, err = place.call("run", "steering", "--param", "count=13", code=1)
    (line,) = (line for line in err.splitlines() if line.startswith("error: "))
    assert "\x1b" not in line and r"\x1b[31mred" in line
    _, err = place.call("run", "\x1b[31mx", code=2)
    assert "\x1b" not in err


def test_resume_needs_no_name_and_takes_new_parameters(place):
    place.call("run", "adding", "--param", "count=13", code=1)
    found = place.json("run", "--resume", "latest", "--param", "count=12")
    assert found["pipeline"] == "adding"
    assert found["status"] == "succeeded"


def test_a_run_from_another_thread(place: Place) -> None:
    """Which gets no signals and can have no handlers for them."""
    code = """
from concurrent.futures import ThreadPoolExecutor
from stackyard.cli.main import main
raise SystemExit(ThreadPoolExecutor().submit(main, ["run", "adding"]).result())
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=place.root, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr


def test_ctrl_c_leaves_a_run_that_can_be_continued(place):
    process = place.start("run", "waiting")
    until(lambda: (place.root / "waiting").exists() or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "cancelled in " in err
    assert "continue: stackyard run waiting --stack local --resume 2" in err
    assert "KeyboardInterrupt" not in err
    assert place.json("runs", "list")["runs"][0]["status"] == "cancelled"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["run", "addin"], "Did you mean 'adding'?"),
        (["run"], "name a pipeline. Pipelines: adding, waiting"),
        (["run", "adding", "--param", "count"], "--param 'count': write it as NAME=VALUE"),
        (["run", "adding", "--param", "count=x"], "'x'"),
        (["run", "adding", "--param", "cuont=1"], "no parameter 'cuont'"),
        (["run", "adding", "--param", "count=1", "--param", "count=2"], "given twice"),
        (["run", "adding", "--only", "totl"], "Steps: load, total. Did you mean 'total'?"),
        (["run", "adding", "--stack", "../local"], "'../local'"),
        (["run", "../../x.py"], "does not exist"),
        (["run", 'a"b'], "is no pipeline"),
        (["run", "a\nb"], r"'a\nb' is no pipeline"),
        (["run", "{{ x }}"], "is no pipeline"),
        (["run", "adding", "--resume", "../x"], "there is no run"),
        (["compile", "adding"], "compiles nothing"),
        (["compile"], "name a pipeline or give --all"),
        (
            ["run", "adding", "--only", "load", "--only", "total"],
            "argument --only: given twice, 'load' and 'total'",
        ),
        (["run", "adding", "--stack", "local", "--stack", "dev"], "--stack: given twice, 'local'"),
        (["publish", "latest"], "there is no run"),
    ],
)
def test_wrong_requests_are_one_line_with_code_2(place, argv, words):
    _, err = place.call(*argv, code=2)
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and words in errors[0]
    assert err.splitlines()[-1] == errors[0]
    found = place.json(*argv, code=2)
    assert found == {"error": errors[0].removeprefix("error: ")}
    assert not (place.root / ".stackyard" / "store" / "runs").exists()


def test_outside_of_a_project(place, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "stackyard.cli.main", "run", "x"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert "stackyard init" in done.stderr and done.stderr.count("\n") == 1


def test_compile_writes_checks_and_finds_what_is_left_over(place):
    place.stack("air", "orchestrator: {flavor: toy}")
    file = place.root / "dags" / "generated" / "air" / "adding.txt"
    assert place.call("compile", "adding", "--stack", "air", "--check", code=1)[0].startswith(
        "dags/generated/air/adding.txt: missing\n"
    )
    assert not file.exists()
    out, err = place.call("compile", "adding", "--stack", "air")
    assert "dags/generated/air/adding.txt  written\n" in out
    assert "next: stackyard run adding --stack air" in err
    assert file.read_text() == "air\nload\ntotal\n"
    written = file.stat().st_mtime_ns
    assert "unchanged" in place.call("compile", "adding", "--stack", "air")[0]
    assert file.stat().st_mtime_ns == written
    assert "up to date: 1 files" in place.call("compile", "adding", "--stack", "air", "--check")[0]
    file.write_text("air\nload\nold\n")
    out, err = place.call("compile", "adding", "--stack", "air", "--check", code=1)
    assert "adding.txt: stale\n" in out
    assert "    -old\n    +total\n" in out
    assert "write it: stackyard compile adding --stack air" in err
    assert file.read_text() == "air\nload\nold\n"
    (file.parent / "gone.txt").touch()
    found = place.json("compile", "--all", "--stack", "air")
    assert [(f["pipeline"], Path(f["path"]).name, f["state"]) for f in found["files"]] == [
        ("adding", "adding.txt", "written"),
        ("waiting", "waiting.txt", "written"),
        (None, "gone.txt", "left over"),
    ]
    out, _ = place.call("compile", "--all", "--stack", "air", "--check", code=1)
    assert "gone.txt: no pipeline makes it any more; delete it" in out
    place.call("compile", "--all", "--stack", "air", "--check", "--out", "elsewhere", code=1)
    place.call("compile", "--all", "--stack", "air", "--out", "elsewhere")
    assert sorted(p.name for p in (place.root / "elsewhere").iterdir()) == [
        "adding.txt",
        "waiting.txt",
    ]


@pytest.mark.parametrize("compiled_before", [True, False])
def test_a_file_that_cannot_be_read_is_an_error_wherever_all_pipelines_are_meant(
    place, compiled_before
):
    place.stack("air", "orchestrator: {flavor: toy}")
    broken = place.write("dags/p.py", PIPELINE.replace("adding", "p").replace("waiting", "q"))
    made = place.root / "dags" / "generated" / "air" / "p.txt"
    if compiled_before:
        place.call("compile", "--all", "--stack", "air")
    with broken.open("a") as file:
        file.write("x = (\n")
    where = f"dags/p.py:{len(broken.read_text().splitlines())}: '(' was never closed"
    for more in ((), ("--check",), ("--out", "elsewhere")):
        out, err = place.call("compile", "--all", "--stack", "air", *more, code=2)
        assert where in err and err.count("\n") == 1
        assert "delete it" not in out + err and "up to date" not in out + err
    assert made.exists() is compiled_before
    out, err = place.call("stack", "check", "air", code=2)
    assert f"error: {where}\n" in err and "is ok" not in out
    place.call("stack", "check", "air", "--for", "adding")  # the others can be held against it
    found = place.json("doctor", "--stack", "air", code=1)["findings"]
    assert [(f["section"], f["what"]) for f in found if f["ok"] is False] == [("project", where)]


@pytest.mark.parametrize("name", ["../evil.txt", "/tmp/evil.txt", "a/../../b.txt", ".hidden", ""])
def test_a_plugin_cannot_write_outside_of_the_folder(place, name):
    place.stack("air", f"orchestrator: {{flavor: toy, file: '{name}'}}")
    before = sorted(place.root.parent.rglob("*.txt"))
    _, err = place.call("compile", "adding", "--stack", "air", code=2)
    assert "no plain relative path; nothing was written" in err
    assert sorted(place.root.parent.rglob("*.txt")) == before


def test_publish_brings_what_the_tracker_missed(place):
    place.stack("local", "orchestrator: {flavor: local}, tracker: {flavor: toy, down: true}")
    found = place.json("run", "adding")
    assert found["status"] == "succeeded"
    assert "the book is closed" in found["warnings"][0]
    _, err = place.call("publish", "latest", code=1)
    assert err.splitlines()[0].startswith("error: tracker: the book is closed")
    place.stack("local", "orchestrator: {flavor: local}, tracker: {flavor: toy}")
    out, err = place.call("publish", found["run_id"][:20])
    assert out == f"tracker: http://127.0.0.1/book/{found['run_id']}\n"
    assert json.loads((place.root / f"{found['run_id']}.json").read_text()) == ["rows"]
    again = place.json("publish", "latest")
    assert again == {
        "run_id": found["run_id"],
        "tracking": {"tracker": f"http://127.0.0.1/book/{found['run_id']}"},
        "errors": [],
    }


def test_a_tracker_that_breaks_costs_no_run_and_tells_no_secret(place):
    tracker = 'tracker: {flavor: toy, token: "${secret:BOOK}"}'
    place.stack("local", f"orchestrator: {{flavor: local}}, {tracker}")
    found = place.json("run", "adding", BOOK="hunter2sesame")
    assert found["status"] == "succeeded"
    (said,) = found["warnings"]
    assert re.match(
        r"tracker: ValueError: no book for \*\*\* \(.+\.py:\d+\)\. The run is kept", said
    )
    out, err = place.call("publish", "latest", "--json", code=1, BOOK="hunter2sesame")
    assert "hunter2sesame" not in out + err
    assert json.loads(out)["errors"][0].startswith("tracker: ValueError: no book for ***")


def test_publish_without_a_tracker(place):
    place.call("run", "adding")
    assert "has no tracker to publish to" in place.call("publish", "latest", code=2)[1]


def test_doctor_finds_nothing_wrong(place):
    place.stack("local", "orchestrator: {flavor: local}, tracker: {flavor: toy}")
    out, err = place.call("doctor")
    assert err.rstrip().endswith("all is well")
    assert "  ✓ tracker (toy): the book is there" in out
    assert "  ✓ toyplugin 1.0: orchestrator toy, tracker toy" in out
    assert "pipelines: adding, waiting" in out
    found = place.json("doctor")  # although a component prints
    assert found["ok"] is True
    assert not list((place.root / ".stackyard" / "store").rglob("doctor/*"))


def test_doctor_names_every_trouble_and_its_fix(place):
    place.stack(
        "bad",
        "orchestrator: {flavor: local}, tracker: {flavor: toy, check: hang}, "
        "tracker.second: {flavor: toy, check: raise}, tracker.third: {flavor: toy, check: bad}",
    )
    place.write("../site/brokenplugin.py", "import not_there\n")
    place.plugin("brokenplugin", "brokenplugin")
    place.write(".stackyard/store", "a file where a folder should be")
    began = time.monotonic()
    found = place.json("doctor", "--stack", "bad", "--deadline", "1s", code=1)
    assert time.monotonic() - began < 20
    assert found["ok"] is False
    wrong = {f["what"]: f["cure"] for f in found["findings"] if f["ok"] is False}
    text = "\n".join(wrong)
    assert "tracker (toy): no answer within 1 s" in text
    assert "tracker.second (toy): its check raised ZeroDivisionError: oh" in text
    assert wrong["tracker.third (toy): no book"] == "buy one"
    broken = next(what for what in wrong if what.startswith("brokenplugin 1.0 is broken"))
    assert "not_there" in broken
    assert "STACKYARD_DISABLED_PLUGINS=brokenplugin" in wrong[broken]
    assert sum(f["section"] == "store" for f in found["findings"] if f["ok"] is False) == 1
    out, _ = place.call("doctor", "--stack", "bad", "--deadline", "1s", code=1)
    assert "      fix: buy one\n" in out


@pytest.mark.parametrize(
    ("stack", "words"),
    [
        ("orchestrator: {flavor: loca}", "Did you mean 'local'?"),
        ("orchestrator: {flavor: local, wrokers: 2}", "stacks/local.yaml:1:"),
        ("orchestrator: [", "stacks/local.yaml:"),
    ],
)
def test_doctor_and_a_wrong_stack(place, stack, words):
    place.stack("local", stack)
    out, _ = place.call("doctor", code=1)
    assert words in out


def test_doctor_outside_of_a_project(place, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "stackyard.cli.main", "doctor"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "✓ Python 3." in done.stdout and "stackyard init" in done.stdout


def test_services_come_up_are_seen_and_go_down(place):
    port = free_port()
    place.stack("dev", f"orchestrator: {{flavor: local}}, tracker: {{flavor: toy, port: {port}}}")
    out, err = place.call("stack", "up", "--stack", "dev")
    assert out.splitlines()[1].split() == ["book", "ready", f"http://127.0.0.1:{port}/"]
    assert "stop it with: stackyard stack down --stack dev" in err
    assert place.json("stack", "up", "--stack", "dev")["services"][0]["name"] == "book"
    findings = place.json("doctor", "--stack", "dev")["findings"]
    assert "book is ready" in [f["what"] for f in findings]
    assert place.json("stack", "down") == {"stopped": ["book"]}
    assert place.call("stack", "down", "--stack", "dev")[0] == "nothing was running\n"
    findings = place.json("doctor", "--stack", "dev")["findings"]
    cures = {f["what"]: f["cure"] for f in findings}
    assert cures["book is stopped"] == "start it: stackyard stack up --stack dev"


def test_a_port_in_use_names_the_line_to_change(place):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        place.stack(
            "dev", f"orchestrator: {{flavor: local}}, tracker: {{flavor: toy, port: {port}}}"
        )
        _, err = place.call("stack", "up", "--stack", "dev", code=2)
    assert f"port {port} on 127.0.0.1 is in use" in err
    assert "give tracker (stacks/dev.yaml:1:" in err
