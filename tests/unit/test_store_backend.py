"""The contract of a backend, held against a folder and against a real S3 API."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from stackyard.errors import ArtifactNotFound, StoreError
from stackyard.store.backend import MARKER, Backend, open_backend
from tests.racing import raced

DIGEST_KEY = f"artifacts/ab/ab{'0' * 62}"


@pytest.fixture(params=["folder", "s3", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "s3":
        return str(request.getfixturevalue("s3_url"))
    if request.param == "memory":
        return f"memory://{tmp_path.name}"
    return str(tmp_path / "store")


@pytest.fixture
def backend(url: str, tmp_path: Path) -> Backend:
    return open_backend(url, cache_dir=tmp_path / "cache")


def test_an_object_is_written_once_and_read_back(backend: Backend) -> None:
    assert backend.put_if_absent("runs/a/run.json", b"first")
    assert not backend.put_if_absent("runs/a/run.json", b"second")
    assert backend.get("runs/a/run.json") == b"first"
    assert backend.exists("runs/a/run.json")
    assert backend.size("runs/a/run.json") == 5


def test_an_empty_object_is_an_object(backend: Backend) -> None:
    assert backend.put_if_absent("cache/k/x", b"")
    assert not backend.put_if_absent("cache/k/x", b"")
    assert backend.get("cache/k/x") == b""
    assert backend.get_many(["cache/k/x"], limit=4) == {"cache/k/x": b""}


def test_a_file_is_taken_over(backend: Backend) -> None:
    for content, made in ((b"one" * 50_000, True), (b"two", False)):
        path = backend.scratch / "file"
        path.write_bytes(content)
        assert backend.put_if_absent(DIGEST_KEY, path) is made
        assert not path.exists()
    assert backend.get(DIGEST_KEY) == b"one" * 50_000


def test_a_file_of_another_disk_is_taken_over(backend: Backend) -> None:
    path = Path("/dev/shm/stackyard-test-file")
    if not path.parent.is_dir():
        pytest.skip("no /dev/shm")
    path.write_bytes(b"far away")
    assert backend.put_if_absent(DIGEST_KEY, path)
    assert not path.exists()
    assert backend.get(DIGEST_KEY) == b"far away"


def test_what_is_not_there(backend: Backend) -> None:
    assert not backend.exists("a/b")
    assert backend.list("a/") == [] == backend.children("a/")
    for ask in (backend.get, backend.size, backend.modified, backend.refresh, backend.path):
        with pytest.raises(ArtifactNotFound, match="there is no a/b"):
            ask("a/b")
    assert backend.delete("a/b")
    assert backend.get_many(["a/b"]) == {}
    backend.put_if_absent("a", b"")
    with pytest.raises(ArtifactNotFound):
        backend.get("a/b")


def test_listing(backend: Backend) -> None:
    for key in ("runs/b/run.json", "runs/a/run.json", "runs/a/ends/1.json", "runs2/x", "top"):
        backend.put_if_absent(key, key.encode())
    assert backend.list("runs/") == ["runs/a/ends/1.json", "runs/a/run.json", "runs/b/run.json"]
    assert backend.list("runs/a/r") == ["runs/a/run.json"]
    assert backend.list("run")[-1] == "runs2/x"
    assert backend.children("runs/") == ["a", "b"]
    assert backend.children("runs/a/") == ["ends", "run.json"]
    assert set(backend.list("")) == {*backend.list("runs"), "top", MARKER}
    assert {k: size for k, (size, _) in backend.sizes("runs/a/").items()} == {
        "runs/a/ends/1.json": 18,
        "runs/a/run.json": 15,
    }


def test_many_are_read_at_once(backend: Backend) -> None:
    keys = [f"a/{i}" for i in range(20)]
    for key in keys:
        backend.put_if_absent(key, f"content of {key}".encode())
    found = backend.get_many([*keys, "a/none"])
    assert found == {key: f"content of {key}".encode() for key in keys}
    assert backend.get_many(["a/7", "a/none"], limit=7) == {"a/7": b"content"}


def test_a_refresh_moves_the_time(backend: Backend) -> None:
    backend.put_if_absent("a/b", b"x")
    before = backend.modified("a/b")
    assert abs(before - time.time()) < 60
    time.sleep(1.1)  # S3 counts whole seconds
    backend.refresh("a/b")
    assert backend.modified("a/b") > before
    assert backend.get("a/b") == b"x"
    assert backend.sizes("a/")["a/b"][1] == backend.modified("a/b")


def test_a_delete_spares_what_was_refreshed(backend: Backend) -> None:
    backend.put_if_absent("a/b", b"x")
    assert not backend.delete("a/b", unless_after=time.time() - 60)
    assert backend.get("a/b") == b"x"
    assert backend.delete("a/b", unless_after=time.time() + 60)
    assert not backend.exists("a/b")
    assert backend.children("") == [MARKER]
    assert backend.put_if_absent("a/b", b"again")
    assert backend.delete("a/b")
    assert not backend.exists("a/b")


def test_a_local_path(backend: Backend) -> None:
    backend.put_if_absent(DIGEST_KEY, b"bytes")
    path = backend.path(DIGEST_KEY)
    assert path.read_bytes() == b"bytes"
    assert path.stat().st_mode & 0o222 == 0
    assert backend.path(DIGEST_KEY) == path


@pytest.mark.parametrize(
    "key",
    ["../x", "a/../x", "a/..", "/etc/passwd", "a//b", "a/", "", ".hidden", "a/.b", "a\0b", "a\nb",
     "a\n", "a\\b", "a b", "a/é", "a:b", "~/x", "a" * 201, "a/" * 500 + "a", "$HOME", "{{x}}"],
)  # fmt: skip
def test_a_key_that_is_no_path_of_plain_names_is_refused(backend: Backend, key: str) -> None:
    calls = (
        lambda: backend.put_if_absent(key, b""),
        lambda: backend.get(key),
        lambda: backend.get_many([key]),
        lambda: backend.exists(key),
        lambda: backend.size(key),
        lambda: backend.modified(key),
        lambda: backend.refresh(key),
        lambda: backend.delete(key),
        lambda: backend.path(key),
    )
    for call in calls:
        with pytest.raises(StoreError, match="store key") as caught:
            call()
        assert "\n" not in str(caught.value)
    if key not in ("", "a/"):
        for listing in (backend.list, backend.children, backend.sizes):
            with pytest.raises(StoreError, match="store prefix"):
                listing(key)


RACE = """
import sys, time
from pathlib import Path
from stackyard.store.backend import open_backend
url, cache, me = sys.argv[1:]
backend = open_backend(url, cache_dir=Path(cache))
backend.exists("warm/up")
print("ready", flush=True)
sys.stdin.readline()
won = [i for i in range(40) if backend.put_if_absent(f"race/{i}", f"{me} ".encode() * 2000)]
print(*won)
"""


@pytest.mark.parametrize("where", ["folder", "s3"])
def test_exactly_one_of_four_processes_writes(
    where: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = str(request.getfixturevalue("s3_url")) if where == "s3" else str(tmp_path / "store")
    racer = [sys.executable, "-c", RACE, url, str(tmp_path / "cache")]
    won = dict(enumerate(told.split() for told in raced([[*racer, str(me)] for me in range(4)])))
    assert sorted(int(i) for mine in won.values() for i in mine) == list(range(40))
    backend = open_backend(url, cache_dir=tmp_path / "cache")
    for me, mine in won.items():
        for i in mine:
            assert backend.get(f"race/{i}") == f"{me} ".encode() * 2000


def test_the_store_says_its_format(backend: Backend, url: str, tmp_path: Path) -> None:
    assert backend.list("") == []  # nothing is made before the first write
    backend.put_if_absent("a", b"")
    assert b'"format": 1' in backend.get(MARKER)
    backend.delete(MARKER)
    backend.put_if_absent(MARKER, b'{"format": 2}')
    late = open_backend(url, cache_dir=tmp_path / "cache")
    for call in (
        lambda: late.get("a"),
        lambda: late.put_if_absent("b", b""),
        lambda: late.list(""),
    ):
        with pytest.raises(StoreError, match="its format is 2; this version of stackyard reads 1"):
            call()
