"""What makes a step run again, and what does not: one test for each kind of change."""

from __future__ import annotations

import os
import py_compile
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Place

PIPELINE = """
    import json
    from stackyard import pipeline, step
    from helpers import clean, fit

    BASE = 3

    class Mean:
        def fit(self, rows):
            return sum(rows) / len(rows)

    class Largest:
        def fit(self, rows):
            return max(rows)

    MODELS = {"mean": Mean, "largest": Largest}

    @step(cache=True)
    def load(count: int = 5) -> list[int]:
        return [BASE * n for n in range(count)]

    @step
    def tidy(rows: list[int]) -> list[int]:
        return clean(rows)

    @step
    def train(rows: list[int], depth: int, kind: str = "mean") -> float:
        return fit(rows, depth) + MODELS[kind]().fit(rows)

    @step
    def report(model: float) -> str:
        return json.dumps({"model": round(model, 3)})

    @pipeline
    def learn(depth: int = 2) -> None:
        report(train(tidy(load()), depth))
"""
HELPERS = """
    STEP = 10

    def clean(rows):
        return [r for r in rows if r >= 0]

    def fit(rows, depth):
        scale = 1
        return scale * depth + STEP
"""
CACHED = {"load": "cached", "tidy": "cached", "train": "cached", "report": "cached"}


@pytest.fixture
def learn(place: Place) -> Place:
    place.write("dags/learn.py", PIPELINE)
    place.write("dags/helpers.py", HELPERS)
    assert set(place.steps("learn").values()) == {"succeeded"}
    return place


def change(place: Place, file: str, old: str, new: str) -> None:
    path = place.root / file
    text = path.read_text()
    assert text.count(old) == 1, f"{old!r} is not there once"
    path.write_text(text.replace(old, new))


def ran(steps: dict[str, str]) -> set[str]:
    return {name for name, status in steps.items() if status == "succeeded"}


def test_nothing_changed(learn: Place) -> None:
    assert learn.steps("learn") == CACHED


def test_a_comment_and_formatting(learn: Place) -> None:
    change(learn, "dags/helpers.py", "    scale = 1", "    # as agreed\n    scale  =  1")
    change(learn, "dags/learn.py", "BASE = 3", "BASE = 3  # minutes")
    assert learn.steps("learn") == CACHED


def test_a_helper_line_that_changes_the_output(learn: Place) -> None:
    change(learn, "dags/helpers.py", "scale = 1", "scale = 2")
    assert ran(learn.steps("learn")) == {"train", "report"}


def test_a_helper_line_that_keeps_the_output(learn: Place) -> None:
    change(learn, "dags/helpers.py", "scale * depth + STEP", "STEP + depth * scale")
    assert ran(learn.steps("learn")) == {"train"}


def test_explain_names_the_helper(learn: Place) -> None:
    change(learn, "dags/helpers.py", "scale = 1", "scale = 2")
    said = learn.run("run", "learn", "--explain").stderr
    assert "helpers.fit" in said


def test_a_constant(learn: Place) -> None:
    change(learn, "dags/learn.py", "BASE = 3", "BASE = 4")
    assert "load" in ran(learn.steps("learn"))


def test_a_constant_of_another_module(learn: Place) -> None:
    change(learn, "dags/helpers.py", "STEP = 10", "STEP = 11")
    assert ran(learn.steps("learn")) == {"train", "report"}


def test_bytecode_that_only_seems_fresh(learn: Place) -> None:
    """Python's own check of it are a file's length and the second of its last change."""
    helpers = learn.root / "dags/helpers.py"
    second = helpers.stat().st_mtime_ns
    py_compile.compile(str(helpers), doraise=True)
    change(learn, "dags/helpers.py", "STEP = 10", "STEP = 11")
    os.utime(helpers, ns=(second, second))
    assert ran(learn.steps("learn")) == {"train", "report"}


def test_a_class_reached_through_a_dict(learn: Place) -> None:
    change(
        learn, "dags/learn.py", "return sum(rows) / len(rows)", "return sum(rows) / len(rows) + 1"
    )
    assert ran(learn.steps("learn")) == {"train", "report"}


def test_a_parameter(learn: Place) -> None:
    assert ran(learn.steps("learn", "--param", "depth=3")) == {"train", "report"}
    assert learn.steps("learn") == CACHED


def test_a_library_version(learn: Place, tmp_path: Path) -> None:
    site = tmp_path / "site"

    def install(version: str) -> None:
        shutil.rmtree(site, ignore_errors=True)
        info = site / f"tinylib-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: tinylib\nVersion: {version}\n"
        )
        (info / "top_level.txt").write_text("tinylib\n")
        (info / "RECORD").write_text("tinylib.py,,\n")
        (site / "tinylib.py").write_text("def one(): return 1\n")

    change(learn, "dags/helpers.py", "def fit", "import tinylib\n\ndef fit")
    change(learn, "dags/helpers.py", "scale = 1", "scale = tinylib.one()")
    env = {"PYTHONPATH": str(site)}
    install("1.0")
    assert "train" in ran(learn.steps("learn", env=env))
    assert learn.steps("learn", env=env) == CACHED
    install("1.1")
    assert ran(learn.steps("learn", env=env)) == {"train"}
    said = learn.run("run", "learn", "--explain", "--param", "depth=2", env=env)
    assert said.returncode == 0


def test_another_folder_on_the_same_store(learn: Place, make_place: Callable[[str], Place]) -> None:
    other = make_place("elsewhere/deeper")
    shutil.copytree(learn.root / "dags", other.root / "dags", dirs_exist_ok=True)
    store = learn.root / ".stackyard" / "store"
    other.write(
        "stacks/local.yaml", f"store: {store}\ncomponents:\n  orchestrator: {{flavor: local}}\n"
    )
    assert other.steps("learn") == CACHED


def test_another_hash_seed(learn: Place) -> None:
    for seed in ("1", "2"):
        assert learn.steps("learn", env={"PYTHONHASHSEED": seed}) == CACHED


def test_no_cache_runs_everything(learn: Place) -> None:
    assert ran(learn.steps("learn", "--no-cache")) == {"load", "tidy", "train", "report"}


def test_a_source_is_read_again_unless_it_says_how_long_it_stays_true(
    place: Place, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.txt"
    place.write(
        "dags/reading.py",
        f"""
        from pathlib import Path
        from stackyard import pipeline, step

        OUTSIDE = Path({str(outside)!r})

        @step
        def fresh() -> str:
            return OUTSIDE.read_text()

        @step(cache="1d")
        def kept() -> str:
            return OUTSIDE.read_text()

        def size() -> str:
            return str(OUTSIDE.stat().st_size)

        @step(fingerprint=size)
        def watched() -> str:
            return OUTSIDE.read_text()

        @step
        def join(a: str, b: str, c: str) -> list[str]:
            return [a, b, c]

        @pipeline
        def reading() -> None:
            join(fresh(), kept(), watched())
        """,
    )
    outside.write_text("one")
    assert ran(place.steps("reading")) == {"fresh", "kept", "watched", "join"}
    assert ran(place.steps("reading")) == {"fresh"}
    outside.write_text("three")
    assert ran(place.steps("reading")) == {"fresh", "watched", "join"}


def test_a_fingerprint_function_that_fails_fails_the_run(place: Place) -> None:
    place.write(
        "dags/reading.py",
        """
        from stackyard import pipeline, step

        def size() -> str:
            raise OSError("the table is gone")

        @step(fingerprint=size)
        def watched() -> int:
            return 1

        @pipeline
        def reading() -> None:
            watched()
        """,
    )
    done = place.run("run", "reading", check=False)
    assert done.returncode == 1
    assert "reading:size failed: OSError: the table is gone" in done.stderr
    assert "Traceback" not in done.stderr
    assert place.json("runs", "list")["runs"][0]["status"] == "failed"


def test_two_stacks_on_one_store_both_have_their_effects(place: Place, tmp_path: Path) -> None:
    place.write("stacks/prod.yaml", "extends: local\n")
    witness = tmp_path / "witness"
    place.write(
        "dags/effects.py",
        f"""
        from stackyard import pipeline, step

        @step(cache=True)
        def make() -> int:
            return 1

        @step(effect=True)
        def register(value: int) -> str:
            with open({str(witness)!r}, "a") as file:
                file.write("x")
            return "done"

        @pipeline
        def effects() -> None:
            register(make())
        """,
    )
    assert place.steps("effects", "--stack", "local")["register"] == "succeeded"
    second = place.steps("effects", "--stack", "prod")
    assert second == {"make": "cached", "register": "succeeded"}
    assert witness.read_text() == "xx"


def test_effects_are_skipped_only_when_their_own_run_is_resumed(
    place: Place, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    witness = tmp_path / "witness"
    place.write(
        "dags/half.py",
        f"""
        from pathlib import Path
        from stackyard import pipeline, step

        @step(effect=True)
        def register() -> int:
            with open({str(witness)!r}, "a") as file:
                file.write("x")
            return 1

        @step
        def check(value: int) -> int:
            if not Path({str(mark)!r}).exists():
                raise ValueError("not yet")
            return value

        @pipeline
        def half() -> None:
            check(register())
        """,
    )
    failed = place.json("run", "half", check=False)
    assert failed["status"] == "failed"
    assert "not yet" in failed["error"]
    mark.touch()
    resumed = {
        s["name"]: s["status"] for s in place.json("run", "half", "--resume", "latest")["steps"]
    }
    assert resumed == {"register": "cached", "check": "succeeded"}
    assert witness.read_text() == "x"
    assert place.steps("half")["register"] == "succeeded"


def test_only_runs_one_step_on_the_last_inputs(learn: Place) -> None:
    change(learn, "dags/learn.py", "round(model, 3)", "round(model, 1)")
    document = learn.json("run", "learn", "--only", "report")
    assert [(s["name"], s["status"]) for s in document["steps"]] == [("report", "succeeded")]


def test_a_resume_goes_on_without_the_cache_as_the_run_was_asked_to(place: Place) -> None:
    place.write(
        "dags/nc.py",
        """
        from pathlib import Path
        from stackyard import pipeline, step

        @step
        def a() -> int:
            return 1

        @step
        def b(n: int) -> int:
            if Path("down").exists():
                raise RuntimeError("down")
            return n

        @step
        def c(n: int) -> int:
            return n

        @pipeline
        def nc() -> None:
            c(b(a()))
        """,
    )
    place.run("run", "nc")
    (place.root / "down").touch()
    assert place.json("run", "nc", "--no-cache", check=False)["status"] == "failed"
    assert place.json("run", "--resume", "latest", check=False)["status"] == "failed"
    (place.root / "down").unlink()
    resumed = place.json("run", "--resume", "latest")  # of a run that was itself resumed
    found = {s["name"]: (s["status"], s["why"]) for s in resumed["steps"]}
    assert found["a"][0] == "cached" and "which this one resumes" in found["a"][1]
    for name in ("b", "c"):
        assert found[name] == ("succeeded", "the cache is not read in this run")
    assert place.steps("nc")["c"] == "cached"  # a run of its own reads it again


@pytest.fixture
def two(place: Place) -> Place:
    """A pipeline whose parameters are read by one step each, and one in a list."""
    place.write(
        "dags/two.py",
        """
        from stackyard import pipeline, step

        @step
        def first(n: int) -> int:
            return n

        @step
        def second(rows: int, parts: list[int]) -> list[int]:
            return [rows, *parts]

        @pipeline
        def two(n: int = 1, m: int = 2, k: int = 3) -> None:
            second(first(n), [m, k])
        """,
    )
    return place


def test_only_refuses_a_parameter_that_its_step_does_not_use(two: Place) -> None:
    two.run("run", "two")
    done = two.run("run", "two", "--only", "second", "--param", "n=5", check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "error: parameter 'n' is not used by step 'second', which alone would run. It uses: m, k. "
        "Leave it out, or run without --only\n"
    )
    done = two.run("run", "two", "--only", "second", "--param", "x=5", check=False)
    assert done.returncode == 2 and "has no parameter 'x'. Parameters: n, m, k" in done.stderr
    assert len(two.json("runs", "list")["runs"]) == 1


def test_only_takes_its_parameters_from_the_last_whole_run(two: Place) -> None:
    def made(*words: str) -> dict[str, int]:
        run = two.json("run", "two", *words)["run_id"]
        shown: dict[str, int] = two.json("runs", "show", run)["params"]
        return shown

    assert made("--param", "m=4") == {"n": 1, "m": 4, "k": 3}
    assert made("--only", "second", "--param", "k=9") == {"n": 1, "m": 4, "k": 9}
    assert made("--only", "second", "--param", "m=5") == {"n": 1, "m": 5, "k": 3}
    assert made("--only", "second") == {"n": 1, "m": 4, "k": 3}
    tried = two.json("run", "two", "--only", "second", "--param", "k=8")["run_id"]
    again = made("--only", "second", "--resume", tried)  # the run is named
    assert again == {"n": 1, "m": 4, "k": 8}
