"""Bad input ends with one clear line that names the place, exit code 2, and no traceback."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import Place

LOCAL = "components:\n  orchestrator: {flavor: local}\n"
GOOD = """
    from stackyard import Tracker, from_stack, pipeline, step

    @step
    def one(depth: int) -> int:
        return depth

    @pipeline
    def good(depth: int = 1) -> None:
        one(depth)
"""


def refused(place: Place, *words: str, env: dict[str, str] | None = None) -> str:
    """Check that the command is refused as bad input should be; return what it said."""
    done = place.run(*words, env=env, check=False)
    assert done.returncode == 2, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1, done.stderr
    assert not (place.root / "pwned").exists()
    return done.stderr


@pytest.fixture
def good(place: Place) -> Place:
    place.write("dags/good.py", GOOD)
    return place


@pytest.mark.parametrize(
    ("stack", "says"),
    [
        ("components:\n  orchestrator: {flavor: locl}\n", "local.yaml:2:26"),
        ("components:\n  orchestrator: {flavor: local, wrkers: 2}\n", "local.yaml:2:33"),
        ("components:\n  orchestrator: {flavor: local, workers: many}\n", "local.yaml:2:"),
        ("components:\n  orchestrater: {flavor: local}\n", "local.yaml:2:3"),
        ("componets: {}\n", "local.yaml:1:1"),
        ("components: [\n", "local.yaml:2:"),
        ("components:\n\torchestrator: x\n", "local.yaml:2:"),
        ("x: !!python/object/apply:os.system ['touch pwned']\n", "local.yaml:1:"),
        ("extends: local\n", "local.yaml:1:"),
        ("extends: nowhere\n", "nowhere"),
        ("extends: ../../etc/passwd\n", "local.yaml:1:"),
        (f"pipelines:\n  good: {{params: {{dept: 3}}}}\n{LOCAL}", "dept"),
        (f"pipelines:\n  good: {{steps: {{two: {{retries: 3}}}}}}\n{LOCAL}", "two"),
    ],
)  # fmt: skip
def test_a_wrong_stack_file(good: Place, stack: str, says: str) -> None:
    good.write("stacks/local.yaml", stack)
    assert says in refused(good, "run", "good")


def test_an_alias_bomb(good: Place) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    good.write("stacks/local.yaml", "\n".join(lines))
    assert "local.yaml:" in refused(good, "stack", "show", "local")


def test_a_cycle_of_parents(good: Place) -> None:
    good.write("stacks/a.yaml", "extends: b\n")
    good.write("stacks/b.yaml", "extends: a\n")
    said = refused(good, "stack", "show", "a")
    assert "b.yaml:1:10" in said
    assert "a -> b -> a" in said


def test_a_missing_environment_variable_where_it_is_used(good: Place) -> None:
    good.write(
        "stacks/local.yaml",
        "store: ${env:NOT_SET_ANYWHERE}\ncomponents:\n  orchestrator: {flavor: local}\n",
    )
    good.run("stack", "show", "local")
    assert "NOT_SET_ANYWHERE" in refused(good, "run", "good")


def test_a_missing_secret_where_it_is_used(place: Place) -> None:
    place.write(
        "stacks/local.yaml",
        """
        components:
          orchestrator: {flavor: local}
        resources:
          house: {class: "needy:House", dsn: "${secret:NOT_SET_ANYWHERE}"}
        """,
    )
    place.write(
        "dags/needy.py",
        """
        from dataclasses import dataclass
        from stackyard import Resource, Secret, from_stack, pipeline, step

        @dataclass(frozen=True)
        class House(Resource):
            dsn: Secret

        @step
        def ask(*, house: House = from_stack()) -> str:
            return house.dsn.reveal()

        @pipeline
        def needy() -> None:
            ask()
        """,
    )
    assert "NOT_SET_ANYWHERE" in refused(place, "run", "needy")
    document = place.json("run", "needy", env={"NOT_SET_ANYWHERE": "s3cr3t-value"})
    assert document["status"] == "succeeded"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("run", "good", "--param", "depth=deep"), "depth"),
        (("run", "good", "--param", "dept=3"), "depth"),
        (("run", "good", "--param", "depth"), "depth"),
        (("run", "gud"), "good"),
        (("run", "../good"), "../good"),
        (("run", "good\n"), "good"),
        (("run", "'; touch pwned; '"), "pwned"),
        (("run", "{{ 7*7 }}"), "7*7"),
        (("run", "good", "--stack", "../local"), "../local"),
        (("run", "good", "--stack", "nowhere"), "nowhere"),
        (("run", "good", "--resume", "20200101-000000-00000000"), "20200101"),
        (("run", "good", "--resume", "../../x"), "../../x"),
        (("run", "good", "--only", "two"), "two"),
        (("runs", "show", "latest"), "run"),
        (("runs", "show", "../latest"), "../latest"),
        (("artifact", "show", "../../etc/passwd"), "passwd"),
        (("stack", "use", "nowhere"), "nowhere"),
        (("compile", "good"), "compile"),
        (("rnu", "good"), "run"),
        (("run",), "good"),
    ],
)
def test_a_wrong_request(good: Place, words: tuple[str, ...], says: str) -> None:
    assert says in refused(good, *words)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("import no_such_module_anywhere\n", "no_such_module_anywhere"),
        ("def broken(:\n", "bad.py"),
        ("raise RuntimeError('at import')\n", "at import"),
    ],
)
def test_a_pipeline_file_that_fails_to_import(place: Place, body: str, says: str) -> None:
    tail = "\nfrom stackyard import pipeline, step\n@pipeline\ndef bad() -> None: ...\n"
    (place.root / "dags").mkdir()
    (place.root / "dags" / "bad.py").write_text(body + tail)
    assert says in refused(place, "run", "dags/bad.py")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("text(number())", "number"),
        ("if number():\n        text('x')", "bad.py:13"),
        ("for _ in number():\n        text('x')", "Loop inside a step"),
        ("text(f'{number()}')", "step"),
        ("text(number() + 1)", "step"),
        ("text('a', 'b')", "text"),
        ("text()", "value"),
        ("pass", "bad"),
    ],
)
def test_an_ill_typed_pipeline(place: Place, body: str, says: str) -> None:
    place.root.joinpath("dags").mkdir()
    place.root.joinpath("dags", "bad.py").write_text(
        "from stackyard import pipeline, step\n\n"
        "@step\ndef number() -> int:\n    return 1\n\n"
        "@step\ndef text(value: str) -> str:\n    return value\n\n"
        f"@pipeline\ndef bad() -> None:\n    {body}\n"
    )
    assert says in refused(place, "run", "bad")


def test_a_stack_that_lacks_a_kind(place: Place) -> None:
    place.write(
        "dags/tracked.py",
        """
        from stackyard import Tracker, from_stack, pipeline, step

        @step
        def log(*, tracker: Tracker = from_stack()) -> int:
            return 1

        @pipeline
        def tracked() -> None:
            log()
        """,
    )
    said = refused(place, "run", "tracked")
    assert "tracker" in said
    assert "log" in said
    assert "log" in refused(place, "stack", "check", "local", "--for", "tracked")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_without_write_permission(good: Place) -> None:
    store = good.root / ".stackyard" / "store"
    store.mkdir(parents=True)
    store.chmod(0o500)
    try:
        assert str(store) in refused(good, "run", "good")
    finally:
        store.chmod(0o700)


def test_a_store_that_cannot_be_a_folder(good: Place) -> None:
    good.write("file", "not a folder")
    good.write("stacks/local.yaml", "store: file\ncomponents:\n  orchestrator: {flavor: local}\n")
    assert "file" in refused(good, "run", "good")


def test_a_full_disk(good: Place, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        good.write(
            "dags/large.py",
            """
            from stackyard import pipeline, step

            @step
            def fill() -> str:
                return "x" * 1_000_000

            @pipeline
            def large() -> None:
                fill()
            """,
        )
        good.write(
            "stacks/local.yaml",
            f"store: {disk}/store\ncomponents:\n  orchestrator: {{flavor: local}}\n",
        )
        assert "space" in refused(good, "run", "large")
        left = [p for p in disk.rglob("*") if p.is_file() and p.stat().st_size > 100_000]
        assert not left, "a half-written artifact was left behind"
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_port_in_use(good: Place) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        good.write(
            "stacks/local.yaml",
            f"""
            components:
              orchestrator: {{flavor: local}}
              tracker: {{flavor: mlflow, tracking_uri: "http://127.0.0.1:{port}", serve: true}}
            """,
        )
        assert str(port) in refused(good, "stack", "up")


@pytest.mark.parametrize(
    ("mark", "name"), [("@pipeline", "straße"), ("@pipeline(name='my-pipe')", "my-pipe")]
)
def test_a_name_that_no_pipeline_may_have_is_refused_with_the_reason(
    place: Place, mark: str, name: str
) -> None:
    function = "straße" if name == "straße" else "odd"
    place.write(
        "dags/odd.py",
        f"""
        from stackyard import pipeline, step
        @step
        def one() -> int:
            return 1
        {mark}
        def {function}() -> None:
            one()
        """,
    )
    said = refused(place, "run", name)
    assert f"dags/odd.py:6: pipeline name {name!r}: use up to 100" in said
    assert refused(place, "run", "dags/odd.py") == said


LAST = """
    from stackyard import Tracker, from_stack, pipeline, step

    @step
    def first() -> int:
        return 1

    @step
    def last(value: int, *, tracker: Tracker = from_stack()) -> int:
        return value

    @pipeline
    def good() -> None:
        last(first())
"""


@pytest.mark.parametrize(
    ("tracker", "says"),
    [("mlfow", "local.yaml:3:21 tracker.flavor"), ("mlflow, experimnt: x", "local.yaml:3:29")],
)
def test_what_the_last_step_would_be_refused_is_told_before_the_first(
    place: Place, tracker: str, says: str
) -> None:
    place.write("dags/good.py", LAST)
    place.write("stacks/local.yaml", f"{LOCAL}  tracker: {{flavor: {tracker}}}\n")
    assert says in refused(place, "run", "good")
    assert place.json("runs", "list")["runs"] == []


def test_why_a_run_ended_is_shown_where_no_step_failed(good: Place) -> None:
    good.run("run", "good")
    good.write("dags/good.py", LAST.replace(": Tracker", ": Tracker | None"))
    done = good.run("run", "good", "--only", "last", check=False)
    assert done.returncode == 1
    shown = good.run("runs", "show", "latest").stdout
    assert "error: --only last: the last run has no result of 'first'" in shown
