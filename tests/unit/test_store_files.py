"""The store in a folder: power loss, kills, full and read-only disks, missing hard links."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackyard.errors import ArtifactNotFound, StoreError
from stackyard.store.backend import open_backend
from stackyard.store.files import LocalBackend
from tests.e2e.background import until


def local(root: Path, *, durable: bool = False) -> LocalBackend:
    backend = open_backend(root, cache_dir=root.parent / "cache", durable=durable)
    assert isinstance(backend, LocalBackend)
    return backend


def leftovers(backend: LocalBackend) -> list[str]:
    return sorted(name for name in os.listdir(backend.scratch) if name != "lock")


def test_durable_syncs_the_file_and_every_new_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    sync = os.fsync

    def fsync(handle: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{handle}"))
        sync(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    lazy, durable = local(tmp_path / "lazy"), local(tmp_path / "durable", durable=True)
    lazy.put_if_absent("a/b/c", b"x")
    assert synced == []
    durable.put_if_absent("first", b"x")
    synced.clear()
    durable.put_if_absent("a/b/c", b"x")
    root = str(tmp_path / "durable")
    assert synced[0].startswith(f"{root}/.spool/")
    assert synced[1:] == [root, f"{root}/a", f"{root}/a/b"]
    synced.clear()
    assert not durable.put_if_absent("a/b/c", b"y")  # its writer may not have come to that
    assert synced[1:] == [f"{root}/a/b/c", f"{root}/a/b"]
    synced.clear()
    moved = durable.scratch / "moved"
    moved.write_bytes(b"x" * 100_000)
    durable.put_if_absent("a/b/d", moved)
    assert synced == [str(moved), f"{root}/a/b"]
    synced.clear()
    durable.put_if_absent("a/b/empty", b"")
    assert synced == [f"{root}/a/b"]
    synced.clear()
    durable.put_if_absent("cache/x", b"", durable=False)
    durable.put_if_absent("cache/y", b"x", durable=False)
    assert synced == []


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP])
def test_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def link(source: str, target: str) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", link)
    writers = [local(tmp_path / "store") for _ in range(4)]
    won: list[tuple[int, int]] = []

    def write(me: int) -> None:
        won.extend((i, me) for i in range(50) if writers[me].put_if_absent(f"a/{i}", b"%d" % me))

    threads = [threading.Thread(target=write, args=(me,)) for me in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(i for i, _ in won) == list(range(50))
    assert all(writers[0].get(f"a/{i}") == b"%d" % me for i, me in won)
    path = writers[0].scratch / "file"
    path.write_bytes(b"moved")
    assert writers[0].put_if_absent("a/file", path)
    assert writers[0].get("a/file") == b"moved"
    assert not writers[0].delete("a/file", unless_after=0)
    assert writers[0].get("a/file") == b"moved"
    assert leftovers(writers[0]) == []


def test_an_object_cannot_be_written_to(tmp_path: Path) -> None:
    backend = local(tmp_path / "store")
    moved = backend.scratch / "moved"
    moved.write_bytes(b"x")
    moved.chmod(0o600)
    backend.put_if_absent("a/moved", moved)
    backend.put_if_absent("a/bytes", b"x")
    backend.put_if_absent("a/empty", b"")
    modes = {
        name: backend.path(f"a/{name}").stat().st_mode & 0o777
        for name in ("moved", "bytes", "empty")
    }
    assert set(modes.values()) == {0o444}


def test_a_file_that_took_hours_is_not_old(tmp_path: Path) -> None:
    backend = local(tmp_path / "store")
    moved = backend.scratch / "moved"
    moved.write_bytes(b"x")
    os.utime(moved, (0, 0))
    backend.put_if_absent("a", moved)
    assert backend.modified("a") > time.time() - 60


def test_the_spool_may_vanish(tmp_path: Path) -> None:
    backend = local(tmp_path / "store")
    backend.put_if_absent("a", b"x")
    backend.scratch.rmdir()
    assert backend.put_if_absent("b", b"x")


def test_folders_that_collection_removes_beneath_a_writer(tmp_path: Path) -> None:
    writer, collector = local(tmp_path / "store"), local(tmp_path / "store")
    stop = threading.Event()

    def collect() -> None:
        while not stop.is_set():
            for key in collector.list("x/"):
                collector.delete(key)

    thread = threading.Thread(target=collect)
    thread.start()
    try:
        for i in range(400):
            assert writer.put_if_absent(f"x/y/z/{i}", b"data")
    finally:
        stop.set()
        thread.join()


def test_a_refresh_beside_a_delete_is_never_lost(tmp_path: Path) -> None:
    backend = local(tmp_path / "store")
    outcomes = set()
    for i in range(300):
        key = f"a/{i}"
        backend.put_if_absent(key, b"x")
        os.utime(backend.path(key), (1000, 1000))
        gone: list[bool] = []

        def delete(key: str = key, gone: list[bool] = gone) -> None:
            gone.append(backend.delete(key, unless_after=2000))

        deleter = threading.Thread(target=delete)
        deleter.start()
        for _ in range(random.randrange(60)):
            pass
        try:
            backend.refresh(key)
            saved = True
        except ArtifactNotFound:
            saved = False
            backend.put_if_absent(key, b"x")
        deleter.join()
        assert backend.get(key) == b"x", (i, saved, gone)
        outcomes.add((saved, *gone))
    assert leftovers(backend) == []
    assert outcomes <= {(True, False), (False, True), (False, False)}


def test_sweep_removes_what_killed_writers_left(tmp_path: Path) -> None:
    backend = local(tmp_path / "store")
    old, new = backend.scratch / "old", backend.scratch / "new"
    old.write_bytes(b"x")
    new.write_bytes(b"x")
    os.utime(old, (1, 1))
    backend.sweep(time.time() - 3600)
    assert leftovers(backend) == ["new"]


WRITER = """
import sys
from pathlib import Path
from stackyard.store.backend import open_backend
backend = open_backend(sys.argv[1], cache_dir=Path("unused"))
for i in range(10**9):
    name = f"{int(sys.argv[2]):03d}-{i:06d}"
    data = name.encode() * (1 + i % 7 * 4000)
    if i % 3 == 0:
        path = backend.scratch / f"{name}.part"
        path.write_bytes(data)
        assert backend.put_if_absent(f"objects/{name}", path)
    else:
        assert backend.put_if_absent(f"objects/{name}", data)
    backend.put_if_absent(f"last/{name}", b"")
"""


def test_a_killed_writer_leaves_whole_objects_only(tmp_path: Path) -> None:
    backend = local(tmp_path / "store")
    for kill in range(15):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, backend.url, str(kill)])
        second = f"objects/{kill:03d}-000001"
        until(lambda second=second: backend.exists(second))  # type: ignore[misc]
        time.sleep(random.uniform(0, 0.06))  # any moment of its work
        writer.kill()
        writer.wait()
    keys = backend.list("objects/")
    assert len(keys) >= 2 * 15
    for key in keys:
        name = key.rpartition("/")[2]
        assert backend.get(key) == name.encode() * (1 + int(name[4:]) % 7 * 4000)
    finished = {key.replace("last/", "objects/") for key in backend.list("last/")}
    assert finished <= set(keys)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting a small file system is not permitted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk(small_disk: Path) -> None:
    backend = local(small_disk / "store")
    written = 0
    with pytest.raises(StoreError) as caught:
        while written < 1000:
            backend.put_if_absent(f"a/{written:03d}", b"x" * 10_000)
            written += 1
    text = str(caught.value)
    assert str(small_disk / "store") in text
    assert f"cannot write a/{written:03d} (10,000 bytes): no space left on device" in text
    assert "Cure: free space on that disk" in text
    assert "\n" not in text
    assert written > 5
    assert backend.list("a/") == [f"a/{i:03d}" for i in range(written)]
    assert all(backend.size(key) == 10_000 for key in backend.list("a/"))
    assert leftovers(backend) == []
    elsewhere = small_disk.parent / "big"
    elsewhere.write_bytes(b"x" * 500_000)
    with pytest.raises(StoreError, match="no space left"):
        backend.put_if_absent("a/big", elsewhere)
    assert leftovers(backend) == []
    assert not backend.exists("a/big")
    assert backend.delete("a/000")  # what is there can be removed, and makes room
    assert backend.put_if_absent("a/again", b"x" * 1000)


def test_a_read_only_disk(small_disk: Path) -> None:
    backend = local(small_disk / "store")
    backend.put_if_absent("a", b"x")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for again in (backend, local(small_disk / "store"), local(small_disk / "new")):
        with pytest.raises(
            StoreError, match=r"read-only file system\. Cure: give this user"
        ) as caught:
            again.put_if_absent("b", b"x")
        assert str(small_disk) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert local(small_disk / "store").get("a") == b"x"
    with pytest.raises(StoreError, match="read-only"):
        backend.delete("a")


AS_NOBODY = """
import os, shutil, sys  # nobody may not read the folder of this Python later
from pathlib import Path
from stackyard.errors import ArtifactNotFound, StoreError
from stackyard.store import files
from stackyard.store.backend import open_backend
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
backend = open_backend(sys.argv[1], cache_dir=Path("unused"))
for call in sys.argv[2:]:
    try:
        print(eval(call))
    except StoreError as exc:
        print(exc)
"""


def as_nobody(folder: Path, *calls: str) -> list[str]:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(folder), *calls], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder whose parents anybody may pass."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_store_of_another_user(open_folder: Path) -> None:
    root = open_folder / "store"
    local(root).put_if_absent("a/b", b"x")
    answers = as_nobody(
        root, "backend.put_if_absent('a/c', b'y')", "backend.put_if_absent('a/b', b'y')",
        "backend.refresh('a/b')", "backend.delete('a/b')", "backend.get('a/b')",
    )  # fmt: skip
    assert answers[4] == "b'x'"
    for answer in answers[:4]:
        assert answer.startswith(f"store {root}: cannot write ")
        assert "permission denied. Cure: give this user permission to write there" in answer
    (root / "a" / "b").chmod(0)
    [answer] = as_nobody(root, "backend.get('a/b')")
    assert answer == (
        f"store {root}: cannot read a/b: permission denied. Cure: give this user access to it, "
        "or choose another place with 'store:' in the stack file"
    )


def test_users_share_a_store(open_folder: Path) -> None:
    root = open_folder / "store"
    backend = local(root)
    backend.put_if_absent("a/b", b"x")
    for folder in (root, root / "a", root / ".spool"):
        folder.chmod(0o777)
    os.utime(root / "a" / "b", (0, 0))
    answers = as_nobody(root, "backend.refresh('a/b')", "backend.put_if_absent('a/c', b'y')")
    assert answers == ["None", "True"]
    assert backend.modified("a/b") > time.time() - 60
    assert backend.get("a/b") == b"x"
    assert backend.get("a/c") == b"y"


def test_a_file_in_the_place_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("not a folder")
    backend = local(tmp_path / "store")
    for call in (lambda: backend.put_if_absent("a", b""), lambda: backend.get("a")):
        with pytest.raises(StoreError, match=r"not a directory\. Cure: check the path"):
            call()


def test_a_damaged_marker(tmp_path: Path) -> None:
    (tmp_path / "stackyard-store.json").write_text("[]")
    with pytest.raises(StoreError, match=r"stackyard-store\.json cannot be read"):
        local(tmp_path).put_if_absent("a", b"")


def test_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    cache = tmp_path / "cache"
    assert open_backend("store", cache_dir=cache).url == str(tmp_path / "store")
    assert open_backend("~/store", cache_dir=cache).url == str(tmp_path / "home" / "store")
    assert open_backend(f"file://{tmp_path}/a%20b", cache_dir=cache).url == f"{tmp_path}/a b"
    assert open_backend("s3://b/x/", cache_dir=cache).url == "s3://b/x"
    assert list(tmp_path.iterdir()) == []


def test_a_local_store_imports_nothing_but_the_standard_library(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from stackyard.store.backend import open_backend;"
        f"b = open_backend({str(tmp_path)!r}, cache_dir=Path('c')); b.put_if_absent('a', b'x');"
        "b.get('a'); print({m.partition('.')[0] for m in sys.modules} & "
        "{'fsspec', 's3fs', 'msgspec', 'blake3', 'psutil', 'yaml'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
