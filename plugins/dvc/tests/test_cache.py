"""The project's own cache: kills, processes at once, damage; and DVC itself on the same folder."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from stackyard.components.base import Context
from stackyard.errors import Conflict, InvalidInput, NotFound, Unavailable
from stackyard.testing.data_versioner_case import write
from stackyard.testing.manners import files_in
from stackyard_dvc.cache import Cache, Damaged, own_cache, read_list
from stackyard_dvc.config import DvcConfig
from stackyard_dvc.versioner import DvcDataVersioner
from tests.killing import killed
from tests.racing import raced

START = """
import sys
from pathlib import Path
from stackyard.components.base import Context
from stackyard_dvc.config import DvcConfig
from stackyard_dvc.versioner import DvcDataVersioner
import stackyard_dvc.cache, dvc_data.hashfile.build, dvc_data.hashfile.db.local
root = Path(sys.argv[1])
context = Context(
    name="data_versioner", project=root, state_dir=root / "state", cache_dir=root / "cache"
)
versioner = DvcDataVersioner(DvcConfig(), context)
print("ready", flush=True)
sys.stdin.readline()
"""
COMMIT = START + "print(versioner.commit(Path(sys.argv[2]), 'flights').id)"
CHECKOUT = START + (
    "versioner.checkout('flights', sys.argv[2], Path('out'), overwrite=True); print('done')"
)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """A project's."""
    return Context(
        name="data_versioner",
        project=tmp_path,
        state_dir=tmp_path / "state",
        cache_dir=tmp_path / "cache",
    )


@pytest.fixture
def versioner(context: Context) -> DvcDataVersioner:
    """On an empty cache."""
    return DvcDataVersioner(DvcConfig(), context)


def many(folder: Path, seed: int, count: int = 60, size: int = 200_000) -> Path:
    """A folder with files that take a while."""
    made = random.Random(seed)
    return write(folder, {f"part-{n}.bin": made.randbytes(size) for n in range(count)})


def test_a_killed_commit_leaves_the_old_versions(
    versioner: DvcDataVersioner, tmp_path: Path
) -> None:
    """At moments from its first change to its last."""
    old = versioner.commit(many(tmp_path / "data", 0, count=8), "flights")
    times = killed(COMMIT, str(tmp_path), str(many(tmp_path / "first", 1, count=8)), at=0)
    assert times is not None and times > 20
    for number, at in enumerate((1, times // 4, times // 2, times * 3 // 4, times - 1)):
        path = many(tmp_path / f"new-{number}", number + 2, count=8)
        assert killed(COMMIT, str(tmp_path), str(path), at=at) is None
        assert len(versioner.list()) == 2 + number
        assert versioner.commit(path, "flights").files == 8
        for version in versioner.list():
            assert versioner.verify("flights", version.id) == ()
    assert old in versioner.list()


def test_a_killed_checkout_leaves_the_target_as_it_was(
    versioner: DvcDataVersioner, tmp_path: Path
) -> None:
    """Or as it was to be: never between the two."""
    paths = [many(tmp_path / str(n), n, count=8) for n in range(2)]
    old, new = (versioner.commit(path, "flights") for path in paths)
    contents = [files_in(path) for path in paths]
    target = tmp_path / "out"
    versioner.checkout("flights", old.id, target)
    times = killed(CHECKOUT, str(tmp_path), new.id, at=0)
    assert times is not None and times > 20 and files_in(target) == contents[1]
    left = 0
    for at in (times // 4, times // 2, times * 2 // 3, times * 5 // 6, times - 1):
        left += len(list(tmp_path.glob(".out*")))
        versioner.checkout("flights", old.id, target, overwrite=True)
        assert not list(tmp_path.glob(".out*"))
        assert killed(CHECKOUT, str(tmp_path), new.id, at=at) is None
        assert files_in(target) in contents
    assert left > 0  # to be removed


def test_processes_at_once(versioner: DvcDataVersioner, tmp_path: Path) -> None:
    """On a cache that is not there yet: the same folder, and folders that share files."""
    paths = [many(tmp_path / "same", 0)] * 2
    for number in range(2):
        path = many(tmp_path / f"own-{number}", 0)
        paths.append(write(path, {"more": str(number).encode()}))
    ids = raced([[sys.executable, "-c", COMMIT, str(tmp_path), str(path)] for path in paths])
    assert len(set(ids)) == 3
    assert {v.id for v in versioner.list()} == {i.strip() for i in ids}
    for version in versioner.list():
        assert versioner.verify("flights", version.id) == ()


def test_damage_is_seen_without_verifying(versioner: DvcDataVersioner, tmp_path: Path) -> None:
    """DVC would hand out what somebody wrote over a file of its cache."""
    data = write(tmp_path / "data", {"a.csv": b"first", "b/c.csv": b"second"})
    version = versioner.commit(data, "flights")
    for case in ("changed", "gone", "list"):
        with own_cache(versioner.context) as cache:
            oid = version.id if case == "list" else cache.files(version.id)["b/c.csv"]
            path = Path(cache.odb.oid_to_path(oid))
        path.chmod(0o644)
        path.unlink() if case == "gone" else path.write_bytes(b"SECOND")
        if case != "gone":
            path.chmod(0o444)
        named = "flights" if case == "list" else "b/c.csv"
        with pytest.raises(NotFound, match=r"pull flights@"):
            versioner.checkout("flights", version.id, tmp_path / "out")
        assert versioner.verify("flights", version.id) == (named,)
        assert not (tmp_path / "out").exists()
        assert versioner.commit(data, "flights") == version
        versioner.checkout("flights", version.id, tmp_path / f"out-{case}")
        assert files_in(tmp_path / f"out-{case}") == files_in(data)


@pytest.mark.parametrize("change", ["changed", "gone"])
def test_what_changes_while_it_is_committed(
    versioner: DvcDataVersioner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """Between hashing and copying: refused; nothing wrong gets into the cache."""
    data = write(tmp_path / "data", {"a.csv": b"first", "b.csv": b"second"})
    fetch = Cache.fetch

    def late(self: Cache, fs: object, paths: Mapping[str, str]) -> None:
        os.unlink(data / "a.csv") if change == "gone" else write(data, {"a.csv": b"FIRST"})
        fetch(self, fs, paths)

    with monkeypatch.context() as patch:
        patch.setattr(Cache, "fetch", late)
        with pytest.raises(Conflict, match="was changed while it was committed"):
            versioner.commit(data, "flights")
    assert versioner.list() == ()
    write(data, {"a.csv": b"first"})
    version = versioner.commit(data, "flights")
    assert versioner.verify("flights", version.id) == ()


@pytest.mark.parametrize(
    "entry",
    [
        {"relpath": "../out", "md5": "0" * 32},
        {"relpath": "/out", "md5": "0" * 32},
        {"relpath": "a/../../out", "md5": "0" * 32},
        {"relpath": "a", "md5": "../../../../out"},
        {"relpath": "a"},
        {"relpath": "a\0b", "md5": "0" * 32},
        {"relpath": "\ud800", "md5": "0" * 32},
        "a",
    ],
)
def test_a_list_that_leads_out_of_its_folder(entry: object) -> None:
    """A remote may hold any list, under the id that it has."""
    data = json.dumps([entry]).encode()
    with pytest.raises(Damaged):
        read_list(data, f"{hashlib.md5(data).hexdigest()}.dir")


def test_what_killed_processes_left_goes(versioner: DvcDataVersioner, tmp_path: Path) -> None:
    """After a day; what is younger may be in use."""
    data = write(tmp_path / "data", {"a.csv": b"first"})
    versioner.commit(data, "flights")
    root = tmp_path / "state/.dvc/cache/files"
    for name in (".new-old", ".new-young"):
        write(root / name, {"half": b"half"})
    os.utime(root / ".new-old", (0, 0))
    write(data, {"a.csv": b"second"})
    versioner.commit(data, "flights")
    assert sorted(p.name for p in root.iterdir()) == [".new-young", "md5"]


def test_the_cache_itself_is_no_data(versioner: DvcDataVersioner, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1")
    with pytest.raises(InvalidInput, match="holds the versions themselves"):
        versioner.commit(Path("."), "all")
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    for path in ("link", "data/.."):
        with pytest.raises(InvalidInput, match="holds the versions themselves"):
            versioner.commit(Path(path), "all")


def test_dvc_itself_understands_the_folder(versioner: DvcDataVersioner, tmp_path: Path) -> None:
    """Its garbage collector keeps what versions need, and it pushes them all."""
    data = write(tmp_path / "data", {"a.csv": b"first", "b/c.csv": b"second"})
    versions = [versioner.commit(data, "flights"), versioner.commit(data / "a.csv", "table")]
    write(data, {"a.csv": b"third"})
    gone = versioner.commit(data, "flights")
    (tmp_path / "state" / "versions" / "flights" / f"{gone.id}.dvc").unlink()
    run = [sys.executable, "-m", "dvc"]
    (tmp_path / "remote").mkdir()
    env = {**os.environ, "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(tmp_path / "site")}
    for words in (
        ["gc", "--workspace", "--force"],
        ["remote", "add", "--local", "--default", "all", str(tmp_path / "remote")],
        ["push"],
    ):
        done = subprocess.run(
            [*run, *words], cwd=tmp_path / "state", capture_output=True, text=True, env=env
        )
        assert done.returncode == 0, done.stderr
    for version in versions:
        assert versioner.verify(version.name, version.id) == ()
        assert (tmp_path / "remote/files/md5" / version.id[:2] / version.id[2:]).is_file()
    assert not (tmp_path / "remote/files/md5" / gone.id[:2] / gone.id[2:]).exists()


def test_nothing_is_printed(
    versioner: DvcDataVersioner, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = write(tmp_path / "data", {"a.csv": b"first"})
    version = versioner.commit(data, "flights")
    with own_cache(versioner.context) as cache:
        Path(cache.odb.oid_to_path(cache.files(version.id)["a.csv"])).unlink()
    with pytest.raises(NotFound):
        versioner.checkout("flights", version.id, tmp_path / "out")
    assert capfd.readouterr() == ("", "")


def test_a_cache_that_cannot_be_written(versioner: DvcDataVersioner, tmp_path: Path) -> None:
    """Unavailable, naming the place."""
    (tmp_path / "a.csv").write_text("1")
    (tmp_path / "state").write_text("a file where the cache should be")
    with pytest.raises(Unavailable, match=f"data_versioner: {tmp_path}/state"):
        versioner.commit(Path("a.csv"), "a")
