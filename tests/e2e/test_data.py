"""``stackyard data``: the data of a run comes back with one command, here and elsewhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.e2e.conftest import Place

STACK = """
    components:
      orchestrator: {flavor: local}
      data_versioner: {flavor: dvc, remote: ../remote}
      data_versioner.raw: {flavor: dvc}
"""
PIPELINE = """
    from pathlib import Path
    from stackyard import DataVersion, DataVersioner, from_stack, pipeline, step

    @step
    def load(hours: str, *, data: DataVersioner = from_stack()) -> DataVersion:
        folder = Path("data")
        (folder / "by hour").mkdir(parents=True, exist_ok=True)
        (folder / "flights.csv").write_text(hours)
        (folder / "by hour" / f"{hours}.csv").write_text(hours)
        return data.commit(folder, "flights")

    @step
    def count(version: DataVersion, *, raw: DataVersioner = from_stack("raw")) -> int:
        Path("raw.csv").write_text("raw")
        return raw.commit(Path("raw.csv"), "codes").files

    @pipeline
    def versioned(hours: str = "1"):
        count(load(hours))
"""


@pytest.fixture
def versioned(place: Place) -> Place:
    """A project whose pipeline commits a folder, and a file with another data versioner."""
    place.write("stacks/local.yaml", STACK)
    place.write("dags/versioned.py", PIPELINE)
    return place


def ids(place: Place, *words: str) -> list[str]:
    return [v["id"] for v in place.json("data", "list", *words)["versions"]]


@pytest.mark.parametrize("target", ["dags", "stacks"])
def test_code_is_not_overwritten_by_data(versioned: Place, target: str) -> None:
    versioned.run("run", "versioned")
    before = {p: p.read_bytes() for p in (versioned.root / target).glob("*.*")}
    words = ("data", "checkout", "flights", "--to", target, "--overwrite")
    done = versioned.run(*words, check=False)
    assert (done.returncode, "holds the project's code or stacks" in done.stderr) == (2, True)
    assert "--to PATH" in done.stderr
    assert before and {p: p.read_bytes() for p in (versioned.root / target).glob("*.*")} == before


def test_what_two_components_keep_comes_back_once(versioned: Place) -> None:
    """And is pushed by the one that has a remote, saying so of the other."""
    both = PIPELINE.replace('("raw.csv"), "codes"', '("data"), "flights"').replace(
        "versioned", "both"
    )
    versioned.write("dags/both.py", both)
    versioned.run("run", "both")
    (made,) = versioned.json("data", "checkout", "--run", "latest")["versions"]
    assert Path(made["path"]).name == "flights"
    pushed = versioned.run("data", "push", "--run", "latest")
    (version,) = ids(versioned)
    reason = "data_versioner.raw: there is no remote."
    assert f"warning: flights@{version}: not pushed: {reason}" in pushed.stderr
    assert (versioned.root.parent / "remote").is_dir()
    document = versioned.json("data", "push", "--run", "latest")
    row = {"name": "flights", "id": version, "component": "data_versioner"}
    assert document["pushed"] == [row]
    (left,) = document["left_out"]
    assert left.pop("reason").startswith(reason)
    assert left == {**row, "component": "data_versioner.raw"}
    swapped = STACK.replace(", remote: ../remote", "").replace(
        "raw: {", "raw: {remote: ../remote, "
    )
    versioned.write("stacks/local.yaml", swapped)  # as the archive of the demo
    shutil.rmtree(versioned.root / ".stackyard/state")
    done = versioned.run("data", "checkout", "--run", "latest", "--to", "again")
    assert "is not here; pulling it" in done.stderr
    assert (versioned.root / "again/flights/flights.csv").read_text() == "1"


def test_what_the_stack_has_no_more_is_left_to_the_other(versioned: Place) -> None:
    """A component that a run used; where only it had the data, the error says that it is gone."""
    both = PIPELINE.replace('("raw.csv"), "codes"', '("data"), "flights"').replace(
        "versioned", "both"
    )
    versioned.write("dags/both.py", both)
    run = versioned.json("run", "both")["run_id"]
    alone = versioned.json("run", "versioned")["run_id"]
    versioned.write("stacks/local.yaml", STACK[: STACK.index("data_versioner.raw")])
    (made,) = versioned.json("data", "checkout", "--run", run, "--to", "out")["versions"]
    assert Path(made["path"], "flights.csv").read_text() == "1"
    pushed = versioned.run("data", "push", "--run", run)
    assert "warning: flights@" in pushed.stderr and "has no data_versioner.raw" in pushed.stderr
    for action in ("checkout", "push"):
        done = versioned.run("data", action, "--run", alone, check=False)
        assert done.returncode and "has no data_versioner.raw" in done.stderr


def test_each_dataset_of_a_run_has_a_place_of_its_own(place: Place) -> None:
    """Where the ending of one would make it the name of another, the id tells them apart."""
    place.write("stacks/local.yaml", STACK)
    place.write(
        "dags/named.py",
        """
        from pathlib import Path
        from stackyard import DataVersioner, from_stack, pipeline, step

        @step
        def load(*, data: DataVersioner = from_stack()) -> int:
            Path("a folder").mkdir()
            files = {"x.csv": "flights", "y.csv": "flights.csv", "z.csv": "ds", "own.csv": "own"}
            for file, name in files.items():
                Path(file).write_text(name)
                data.commit(Path(file), name)
            Path("a folder/file").write_text("ds.csv")
            data.commit(Path("a folder"), "ds.csv")
            return 0

        @pipeline
        def named():
            load()
        """,
    )
    place.run("run", "named")
    for words in ((), ("--overwrite",)):
        rows = place.json("data", "checkout", "--run", "latest", *words)["versions"]
        made = {row["name"]: Path(row["path"]) for row in rows}
        short = {row["name"]: row["id"][:8] for row in rows}
        assert {name: path.name for name, path in made.items()} == {
            "flights": f"flights@{short['flights']}.csv",
            "flights.csv": f"flights.csv@{short['flights.csv']}.csv",
            "ds": f"ds@{short['ds']}.csv",
            "ds.csv": f"ds.csv@{short['ds.csv']}",
            "own": "own.csv",
        }
        files = [path / "file" if path.is_dir() else path for path in made.values()]
        assert [file.read_text() for file in files] == list(made)


def test_what_a_push_leaves_out_is_told(versioned: Place) -> None:
    """And the rest of the run's data is pushed."""
    versioned.run("run", "versioned")
    (flights,) = ids(versioned)
    (codes,) = ids(versioned, "--component", "data_versioner.raw")
    done = versioned.run("data", "push", "--run", "latest", check=False)
    assert done.returncode == 1
    assert f"error: codes@{codes}: not pushed: data_versioner.raw: there is no r" in done.stderr
    assert done.stdout.splitlines()[1:] == [f"flights  {flights}  pushed"]
    shutil.rmtree(versioned.root / ".stackyard/state/data_versioner")
    document = versioned.json("data", "push", "--run", "latest", check=False)
    assert document["pushed"] == []
    reasons = {one["name"]: one["reason"] for one in document["left_out"]}
    assert "there is no version" in reasons["flights"] and "no remote" in reasons["codes"]


def test_the_data_of_a_run_comes_back(versioned: Place) -> None:
    """Of an old run, by one command; all that it had, from each component."""
    first = versioned.json("run", "versioned")["run_id"]
    versioned.json("run", "versioned", "--param", "hours=2")
    out = versioned.run("data", "checkout", "--run", first, "--to", "old").stdout
    assert (versioned.root / "old/flights/flights.csv").read_text() == "1"
    assert (versioned.root / "old/codes.csv").read_text() == "raw"
    assert str(versioned.root / "old/flights") in out
    shown = versioned.run("runs", "show", first).stdout
    assert ids(versioned)[1] in shown
    done = versioned.run("data", "checkout", "--run", first, "--to", "old", check=False)
    assert (done.returncode, "nothing was written" in done.stderr) == (2, True)
    (versioned.root / "old/flights/extra").write_text("x")
    versioned.run("data", "checkout", "--run", first, "--to", "old", "--overwrite")
    assert not (versioned.root / "old/flights/extra").exists()
    only = ("--component", "data_versioner.raw", "--to", "raw")
    (codes,) = versioned.json("data", "checkout", "--run", first, *only)["versions"]
    assert codes["path"] == str(versioned.root / "raw/codes.csv")
    document = versioned.json("data", "checkout", "--run", "latest")
    folder = versioned.root / ".stackyard/data" / document["run_id"]
    paths = [Path(v["path"]) for v in document["versions"]]
    assert paths == [folder / "flights", folder / "codes.csv"]
    assert (folder / "flights/flights.csv").read_text() == "2"


def test_versions_are_listed_and_compared(versioned: Place) -> None:
    """Ids may be cut short; the newest is meant where none is given."""
    assert "no version is known" in versioned.run("data", "list").stderr
    for hours in ("1", "2"):
        versioned.run("run", "versioned", "--param", f"hours={hours}")
    new, old = ids(versioned, "flights")
    assert ids(versioned, "--component", "data_versioner.raw") != [new, old]
    lines = versioned.run("data", "list").stdout.splitlines()
    assert lines[0].split() == ["dataset", "version", "files", "size", "committed"]
    assert [line.split()[1] for line in lines[1:]] == [new, old]
    found = versioned.json("data", "diff", "flights", old[:8], new[:8])
    assert (found["added"], found["changed"], found["removed"]) == (
        ["by hour/2.csv"], ["flights.csv"], [],
    )  # fmt: skip
    text = versioned.run("data", "diff", "flights", old[:8], new[:8]).stdout
    assert "added    by hour/2.csv\nchanged  flights.csv" in text
    assert "no file is different" in versioned.run("data", "diff", "flights", old, old).stderr
    versioned.run("data", "checkout", "flights", "--to", "newest")
    assert (versioned.root / "newest/flights.csv").read_text() == "2"
    versioned.run("data", "checkout", f"flights@{old[:6]}", "--to", "older")
    assert (versioned.root / "older/flights.csv").read_text() == "1"


def test_what_is_pushed_is_checked_out_elsewhere(versioned: Place, tmp_path: Path) -> None:
    """A clone of the project with the same store and remote; by run, and by id."""
    shared = STACK.replace("raw: {flavor: dvc}", "raw: {flavor: dvc, remote: ../raw}")
    versioned.write("dags/versioned.py", PIPELINE.replace('"codes"', '"codes.csv"'))
    versioned.write("stacks/local.yaml", shared)
    run = versioned.json("run", "versioned")["run_id"]
    (version,) = ids(versioned, "flights")
    pushed = versioned.json("data", "push", "--run", run)["pushed"]
    assert [v["name"] for v in pushed] == ["codes.csv", "flights"]
    other = Place(tmp_path / "elsewhere")
    shutil.copytree(versioned.root, other.root)
    shutil.rmtree(other.root / ".stackyard" / "state")
    done = other.run("data", "checkout", "--run", run, "--to", "out")
    assert "pulling it" in done.stderr
    assert (other.root / "out/flights/flights.csv").read_text() == "1"
    assert (other.root / "out/codes.csv").read_text() == "raw"
    shutil.rmtree(other.root / ".stackyard" / "state")
    missing = other.run("data", "pull", "flights", check=False)
    assert (missing.returncode, "flights@ID" in missing.stderr) == (2, True)
    assert other.json("data", "pull", f"flights@{version}") == {
        "pulled": [{"name": "flights", "id": version, "component": "data_versioner"}],
        "left_out": [],
    }
    assert ids(other) == [version]
    assert "pushed" in other.run("data", "push", "flights").stdout


def test_the_cure_names_the_component(versioned: Place) -> None:
    """What is typed as it is told works."""
    raw = ("--component", "data_versioner.raw")
    versioned.write("stacks/local.yaml", STACK.replace("raw: {", "raw: {remote: ../raw, "))
    versioned.run("run", "versioned")
    (codes,) = ids(versioned, *raw)
    cure = f"stackyard data pull codes@{codes} --component data_versioner.raw"
    done = versioned.run(*cure.split()[1:], check=False)
    push = cure.replace("pull", "push")
    assert (done.returncode, push in done.stderr) == (2, True)
    versioned.run(*push.split()[1:])
    shutil.rmtree(versioned.root / ".stackyard/state/data_versioner.raw/.dvc/cache")
    for words, ends in ((("verify",), 1), (("push", "codes"), 2)):
        done = versioned.run("data", *words, *raw, check=False)
        assert (done.returncode, cure in done.stderr) == (ends, True)
    versioned.run(*cure.split()[1:])
    versioned.run("data", "verify", *raw)


def test_damage_is_told(versioned: Place) -> None:
    """Verifying says what to type; that repairs it."""
    versioned.run("run", "versioned")
    versioned.run("data", "push", "flights")
    (version,) = ids(versioned)
    assert "1 version: all files are sound" in versioned.run("data", "verify").stderr
    for path in (versioned.root / ".stackyard/state/data_versioner/.dvc/cache").rglob("*"):
        if path.is_file() and path.suffix != ".dir":
            path.unlink()
    done = versioned.run("data", "verify", "flights", check=False)
    assert done.returncode == 1
    assert f"flights@{version}: damaged or gone: by hour/1.csv\n" in done.stdout
    assert f"stackyard data pull flights@{version}" in done.stderr
    document = versioned.json("data", "verify", check=False)
    assert (document["ok"], document["versions"][0]["damaged"]) == (
        False, ["by hour/1.csv", "flights.csv"],
    )  # fmt: skip
    out = versioned.run("data", "checkout", "flights", "--to", "out")
    assert "is not whole here; pulling it" in out.stderr
    versioned.run("data", "pull", f"flights@{version}")
    versioned.run("data", "verify")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ("checkout", 2, "name either a version, NAME[@ID], or --run RUN"),
        ("checkout flights --run latest", 2, "not both of a version, NAME[@ID], or --run RUN"),
        ("checkout flights", 2, "say where: --to PATH"),
        ("checkout fligths --to x", 2, "Did you mean 'flights'?"),
        ("checkout flights@0000 --to x", 2, "Versions: "),
        ("checkout flights@0000 --to x", 2, "'0000' is no whole id, so the remote was not asked"),
        ("checkout flights --to dags", 2, "or, to have it overwritten, --overwrite"),
        ("checkout flights --to . --overwrite", 2, "Choose another target: --to PATH"),
        ("checkout flights --to .stackyard --overwrite", 2, "Choose another target: --to PATH"),
        ("list fligths", 2, "Did you mean 'flights'?"),
        ("list --component tracker", 2, "is no data versioner. Write data_versioner.NAME"),
        ("list --component data_versioner.row", 2, "has no data_versioner.row"),
        ("push codes --component data_versioner.raw", 2, "there is no remote. Add one"),
        ("list --stack bare", 2, "Flavors installed: dvc. Add: components: {data_versioner: {fl"),
        ("checkout --run latest --component data_versioner.row --to x", 2, "had no data of"),
    ],
)
def test_what_cannot_be_done(filled: Path, words: str, code: int, told: str) -> None:
    """One line that says what to type."""
    done = Place(filled).run("data", *words.split(), check=False)
    assert (done.returncode, done.stdout) == (code, "")
    assert told in done.stderr.splitlines()[-1]
    failed = Place(filled).run("data", *words.split(), "--json", check=False)
    assert told in json.loads(failed.stdout)["error"]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a run, and a stack without data versioner."""
    made = Place(tmp_path_factory.mktemp("filled") / "project")
    made.write("stacks/local.yaml", STACK)
    made.write("stacks/bare.yaml", "components:\n  orchestrator: {flavor: local}\n")
    made.write("dags/versioned.py", PIPELINE)
    made.run("run", "versioned")
    return made.root
