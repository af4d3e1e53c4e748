"""Artifacts: what is stored is what is read, once, and never without its digest being right."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import blake3
import pytest

from stackyard.errors import ArtifactNotFound, DigestMismatch, StoreError
from stackyard.store import artifacts as module
from stackyard.store.artifacts import Artifacts
from stackyard.store.records import ArtifactRef
from tests.unit.stores import file_of, opened, overwrite

DAY = 86_400.0


@pytest.fixture
def store(tmp_path: Path) -> Artifacts:
    return opened(tmp_path)


@pytest.mark.parametrize("size", [10, 500_000])
def test_a_value_is_read_back_and_named_by_the_digest_of_its_bytes(
    store: Artifacts, size: int
) -> None:
    value = {"text": "x" * size, "numbers": [1, 2.5, None]}
    ref = store.save(value)
    data = file_of(store, ref.digest).read_bytes()
    assert ref == ArtifactRef(blake3.blake3(data).hexdigest(), "plain", "dict", len(data))
    assert store.load(ref) == value


def test_every_load_is_a_value_of_its_own(store: Artifacts) -> None:
    value = {"rows": [1, 2]}
    ref = store.save(value)
    value["rows"].append(3)
    store.load(ref)["rows"].append(4)
    assert store.load(ref) == {"rows": [1, 2]}


@pytest.mark.parametrize("size", [10, 500_000])
def test_a_damaged_artifact_is_not_deserialised(tmp_path: Path, size: int) -> None:
    ref = opened(tmp_path).save("x" * size)
    reader = opened(tmp_path)
    path = file_of(reader, ref.digest)
    overwrite(path, path.read_bytes().replace(b"x", b"y"))
    with pytest.raises(DigestMismatch, match=ref.digest[:12]):
        reader.load(ref)


def test_a_change_after_this_process_verified_it_is_seen(store: Artifacts) -> None:
    ref = store.save("good")
    assert store.load(ref) == "good"
    overwrite(file_of(store, ref.digest), b"evil")
    with pytest.raises(DigestMismatch):
        store.load(ref)


def test_what_this_process_wrote_is_not_hashed_again(
    store: Artifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = store.save("mine")
    monkeypatch.setattr(module, "hash_file", lambda *_: pytest.fail("hashed again"))
    assert store.load(ref) == "mine"


def test_what_another_process_wrote_is_hashed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = opened(tmp_path).save("theirs")
    reader = opened(tmp_path)
    real, hashed = module.hash_file, []
    monkeypatch.setattr(module, "hash_file", lambda p, s: hashed.append(p) or real(p, s))
    assert [reader.load(ref), reader.load(ref)] == ["theirs", "theirs"]
    assert len(hashed) == 1


@pytest.mark.parametrize("size", [10, 500_000])
def test_equal_content_is_not_written_again(tmp_path: Path, size: int) -> None:
    ref = opened(tmp_path).save("x" * size)
    again = opened(tmp_path)
    before = file_of(again, ref.digest).stat()
    assert again.save("x" * size) == ref
    after = file_of(again, ref.digest).stat()
    assert after.st_ino == before.st_ino


def test_small_equal_content_is_not_even_written_beside_it(store: Artifacts) -> None:
    ref = store.save("x")
    spool = store.backend.scratch
    spool.rmdir()
    assert store.save("x") == ref
    assert not spool.exists()  # it is made again by whoever writes a file there


def test_old_equal_content_is_refreshed(tmp_path: Path) -> None:
    ref = opened(tmp_path).save("same")
    again = opened(tmp_path)
    path = file_of(again, ref.digest)
    os.utime(path, (time.time() - DAY, time.time() - DAY))
    again.save("same")
    assert time.time() - path.stat().st_mtime < 60
    assert again.load(ref) == "same"


@pytest.mark.parametrize("size", [10, 500_000])
@pytest.mark.parametrize("damage", [b"", b"other bytes"])
def test_saving_again_heals_a_damaged_artifact(tmp_path: Path, size: int, damage: bytes) -> None:
    ref = opened(tmp_path).save("x" * size)
    again = opened(tmp_path)
    overwrite(file_of(again, ref.digest), damage)
    assert again.save("x" * size) == ref
    assert opened(tmp_path).load(ref) == "x" * size


def test_nothing_is_left_behind(store: Artifacts) -> None:
    ref = store.save("x" * 500_000)
    store.save("x" * 500_000)
    with pytest.raises(StoreError):
        store.save(["x" * 500_000, sys.stdout], hint="plain")
    assert store.backend.list("") == sorted(
        [f"artifacts/{ref.digest[:2]}/{ref.digest}", "stackyard-store.json"]
    )
    assert list(store.backend.scratch.iterdir()) == []


def test_a_missing_artifact_is_named(store: Artifacts) -> None:
    with pytest.raises(ArtifactNotFound, match="abababab"):
        store.load(ArtifactRef("ab" * 32, "plain", "int", 1))


@pytest.mark.parametrize("digest", ["../../etc/passwd", "", "zz", "AB" * 32])
def test_what_is_not_a_digest_never_reaches_the_store(store: Artifacts, digest: str) -> None:
    with pytest.raises(StoreError, match="not a digest"):
        store.load(ArtifactRef(digest, "plain", "int", 1))


def test_an_unknown_format_lists_the_installed(store: Artifacts) -> None:
    ref = store.save(1)
    with pytest.raises(StoreError, match=r"'plian' is not installed.*plain.*Did you mean 'plain'"):
        store.load(ArtifactRef(ref.digest, "plian", "int", 1))


def test_a_kept_file_is_fetched_as_it_was(store: Artifacts, tmp_path: Path) -> None:
    source = tmp_path / "report.html"
    source.write_bytes(b"<html>" * 100_000)
    digest = store.keep(source)
    assert digest == blake3.blake3(source.read_bytes()).hexdigest()
    assert store.fetch(digest).read_bytes() == source.read_bytes()
    assert source.exists()


@pytest.mark.parametrize("size", [0, 1, 63 * 1024, 65 * 1024, 9_000_000])
def test_files_of_any_size(tmp_path: Path, size: int) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * size)
    digest = opened(tmp_path).keep(source)
    assert digest == blake3.blake3(b"x" * size).hexdigest()
    assert opened(tmp_path).fetch(digest).stat().st_size == size


def test_plain_values_need_no_numpy_and_little_time(tmp_path: Path) -> None:
    code = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tests.unit.stores import opened
folder = Path(sys.argv[2])
store = opened(folder)

def bare(part, i):
    with open(folder / f"{part}-{i}", "wb") as file:
        file.write(b"a few bytes")

def cost(work, part):
    begin = time.process_time()
    for i in range(200):
        work(part, i)
    return (time.process_time() - begin) / 200

ours = lambda part, i: store.load(store.save({"part": part, "i": i}))
cost(ours, -1)
best = min(cost(ours, part) / cost(bare, part) for part in range(10))
heavy = {"numpy", "pandas", "pyarrow", "sklearn", "skops", "cloudpickle"} & set(sys.modules)
print(best, sorted(heavy))
"""
    run = [sys.executable, "-c", code, str(Path(__file__).parents[2]), str(tmp_path)]
    done = subprocess.run(run, capture_output=True, text=True, check=True, timeout=60)
    times, heavy = done.stdout.split(" ", 1)
    assert heavy.strip() == "[]"
    assert float(times) < 5  # a bare file of some bytes costs 0.04 ms, saving and loading 0.06


@pytest.mark.parametrize(
    ("make", "library", "extra"),
    [
        ("__import__('pandas').DataFrame({'a': [1]})", "pyarrow", "frames"),
        ("(lambda: 1)", "cloudpickle", "pickle"),
        ("__import__('sklearn.svm').svm.SVC()", "skops", "sklearn"),
    ],
)
def test_a_missing_library_is_named_with_what_to_type(
    tmp_path: Path, make: str, library: str, extra: str
) -> None:
    code = f"""
import sys; sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tests.unit.stores import opened
value = {make}
sys.modules[{library!r}] = None
try:
    opened(Path(sys.argv[2]), pickle_allowed={library != "skops"}).save(value)
except Exception as exc:
    print(type(exc).__name__, exc)
"""
    run = [sys.executable, "-c", code, str(Path(__file__).parents[2]), str(tmp_path)]
    done = subprocess.run(run, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith(("StoreError ", "Unstorable "))
    assert f"{library} is" in done.stdout and f"pip install 'stackyard[{extra}]'" in done.stdout


def test_a_file_that_cannot_be_written_is_one_line(store: Artifacts) -> None:
    store.save(1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
    try:
        with pytest.raises(StoreError, match=r"cannot write an artifact to .*Cure") as info:
            store.save("x" * 500_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(info.value)
    assert list(store.backend.scratch.iterdir()) == []
