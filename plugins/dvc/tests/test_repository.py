"""A DVC repository that there is: as if by ``dvc add``, and nothing more."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from stackyard.components.base import Context
from stackyard.errors import ComponentError, Conflict, InvalidInput, Unsupported
from stackyard.testing.data_versioner_case import write
from stackyard.testing.manners import files_in
from stackyard_dvc.cache import Cache
from stackyard_dvc.config import DvcConfig
from stackyard_dvc.versioner import DvcDataVersioner
from tests.e2e.conftest import Place
from tests.killing import killed

FILES = {"a.csv": b"first", "b/c.csv": b"second"}
COMMIT = """
import sys
from pathlib import Path
from stackyard.components.base import Context
from stackyard_dvc.config import DvcConfig
from stackyard_dvc.versioner import DvcDataVersioner
root = Path(sys.argv[1])
folder = root / ".stackyard"
context = Context(project=root, state_dir=folder / "state", cache_dir=folder / "cache")
DvcDataVersioner(DvcConfig(repo="."), context).commit(Path("data/flights"), "flights")
"""


@pytest.fixture
def versioner(repo: Path) -> DvcDataVersioner:
    """Of a project that is the repository."""
    folder = repo / ".stackyard"
    context = Context(
        name="data_versioner", project=repo, state_dir=folder / "state", cache_dir=folder / "cache"
    )
    return DvcDataVersioner(DvcConfig(repo="."), context)


def run(folder: Path, *words: str) -> str:
    """What a command line prints."""
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_lies_in_the_tree_is_added(
    versioner: DvcDataVersioner, repo: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A ``.dvc`` file beside it, ignored by git; the user commits that. DVC finds all in order."""
    data = write(repo / "data" / "flights", FILES)
    (repo / ".dvc" / "config").write_text("[core]\n    autostage = true\n")
    version = versioner.commit(data, "flights")
    assert capfd.readouterr() == ("", "")
    assert f"md5: {version.id}" in (repo / "data" / "flights.dvc").read_text()
    assert (repo / "data" / ".gitignore").read_text() == "/flights\n"
    assert run(repo, "git", "diff", "--cached", "--name-only") == ""
    assert files_in(data) == FILES
    dvc = (sys.executable, "-m", "dvc")
    assert "up to date" in run(repo, *dvc, "status")
    (data / "a.csv").write_text("third")
    assert versioner.commit(data, "flights").id != version.id
    assert "up to date" in run(repo, *dvc, "status")


def test_what_lies_elsewhere_is_only_kept(
    versioner: DvcDataVersioner, repo: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = write(tmp_path_factory.mktemp("far") / "flights", FILES)
    version = versioner.commit(data, "flights")
    assert not list(repo.rglob("*flights*.dvc")) and files_in(data) == FILES
    assert (repo / ".dvc/cache/files/md5" / version.id[:2] / version.id[2:]).is_file()
    versioner.checkout("flights", version.id, repo / "out")
    assert files_in(repo / "out") == FILES


def test_a_file_of_a_folder_that_dvc_tracks(versioner: DvcDataVersioner, repo: Path) -> None:
    """A version of its own; DVC brings the folder's ``.dvc`` file up to date."""
    data = write(repo / "flights", FILES)
    versioner.commit(data, "flights")
    (data / "a.csv").write_text("third")
    assert versioner.commit(data / "a.csv", "table").files == 1
    whole = versioner.commit(data, "flights")
    assert whole.id in (repo / "flights.dvc").read_text()


def test_what_git_tracks_is_refused(versioner: DvcDataVersioner, repo: Path) -> None:
    """In DVC's words."""
    (repo / "a.csv").write_text("1")
    run(repo, "git", "add", "a.csv")
    with pytest.raises(InvalidInput, match="already tracked by SCM"):
        versioner.commit(repo / "a.csv", "a")


def test_without_git(versioner: DvcDataVersioner, repo: Path) -> None:
    run(repo, "rm", "-r", ".git")
    write(repo / "flights", FILES)
    with pytest.raises(InvalidInput, match=r"DVC says.*not a git repository"):
        versioner.commit(repo / "flights", "flights")
    (repo / ".dvc" / "config").write_text("[core]\n    no_scm = true\n")
    version = versioner.commit(repo / "flights", "flights")
    assert version.id in (repo / "flights.dvc").read_text()


def test_another_process_may_take_its_time(
    versioner: DvcDataVersioner, repo: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """DVC gives up after three seconds."""
    from dvc.repo import Repo

    data = write(repo / "flights", FILES)
    held, begun = Repo(str(repo)), time.monotonic()
    held.lock.lock()
    threading.Timer(4, held.lock.unlock).start()
    versioner.commit(data, "flights")
    assert time.monotonic() - begun > 4
    assert capfd.readouterr() == ("", "")


BUSY = """
    import json
    import os
    from pathlib import Path
    from stackyard import DataVersioner, from_stack, pipeline, step

    @step(retries=1, retry_delay=0.1)
    def load(*, data: DataVersioner = from_stack()) -> str:
        lock = Path(".dvc/tmp/rwlock")
        if lock.exists():
            lock.unlink()
        else:  # as DVC writes it while it works on the folder
            by = {"pid": os.getppid(), "cmd": "dvc repro"}
            lock.parent.mkdir(exist_ok=True)
            lock.write_text(json.dumps({"write": {str(Path("data").absolute()): by}}))
        return data.commit(Path("data"), "flights").id

    @pipeline
    def busy():
        load()
"""


def test_a_step_is_tried_again_while_dvc_works_on_the_data(repo: Path) -> None:
    place = Place(repo)
    place.write(
        "stacks/local.yaml",
        "components: {orchestrator: {flavor: local}, data_versioner: {flavor: dvc, repo: .}}",
    )
    place.write("dags/busy.py", BUSY)
    write(repo / "data", FILES)
    done = place.run("run", "busy")
    assert "again in 0.1 s: Unavailable: " in done.stderr and "attempt 2" in done.stderr
    (version,) = place.json("data", "list")["versions"]
    assert version["name"] == "flights"


def test_what_dvc_would_leave_out_is_refused(versioner: DvcDataVersioner, repo: Path) -> None:
    """Not what was changed meanwhile, which another try may cure."""
    (repo / ".dvcignore").write_text("*.tmp\n")
    data = write(repo / "data", {**FILES, "a.tmp": b"left out"})
    with pytest.raises(InvalidInput, match=r"dvc check-ignore -d .*data"):
        versioner.commit(data, "flights")


def test_what_changes_before_dvc_adds_it(
    versioner: DvcDataVersioner, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, add = write(repo / "data", FILES), Cache.add

    def late(self: Cache, path: Path) -> tuple[str, int, int]:
        found = add(self, path)
        write(data, {"a.csv": b"FIRST"})
        return found

    monkeypatch.setattr(Cache, "add", late)
    with pytest.raises(Conflict, match="was changed while it was committed"):
        versioner.commit(data, "flights")
    assert versioner.commit(data, "flights").files == len(FILES)


@pytest.mark.parametrize("at", [".dir", ".gitignore", "tmp/rwlock", "flights.dvc"])
def test_a_killed_commit_leaves_the_old_versions(
    versioner: DvcDataVersioner, repo: Path, at: str
) -> None:
    """When it begins to write a file of the repository; the next commit works."""
    old = versioner.commit(write(repo / "data" / "old", FILES), "flights")
    data = write(repo / "data" / "flights", {"a.csv": b"third"})
    assert killed(COMMIT, str(repo), at=at) is None
    assert versioner.list() == (old,)
    versioner.checkout("flights", old.id, repo / "out")
    assert files_in(repo / "out") == FILES
    new = versioner.commit(data, "flights")
    assert f"md5: {new.id}" in (repo / "data" / "flights.dvc").read_text()
    assert versioner.list() == (new, old)
    assert "up to date" in run(repo, sys.executable, "-m", "dvc", "status")


def test_what_is_missing_is_told(versioner: DvcDataVersioner, repo: Path) -> None:
    """No default remote; no library for it; no repository."""
    version = versioner.commit(write(repo / "flights", FILES), "flights")
    with pytest.raises(Unsupported, match="dvc remote add --default"):
        versioner.push("flights", version.id)
    (repo / ".dvc" / "config").write_text(
        "[core]\n    remote = far\n['remote \"far\"']\n    url = oss://bucket/data\n"
    )
    with pytest.raises(ComponentError, match=r"DVC says: .*requires 'dvc-oss' to be installed"):
        versioner.push("flights", version.id)
    other = DvcDataVersioner(DvcConfig(repo="../nowhere"), versioner.context)
    with pytest.raises(InvalidInput, match=r"nowhere is no DVC repository.*dvc init"):
        other.commit(repo / "flights", "flights")


def test_the_current_folder_does_not_matter(
    versioner: DvcDataVersioner, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(repo / "flights", FILES)
    monkeypatch.chdir(os.sep)
    version = versioner.commit(Path("flights"), "flights")
    assert version.id in (repo / "flights.dvc").read_text()
