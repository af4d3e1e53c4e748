"""Bundles: equal code gives an equal digest, and what is opened is what the digest names."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import blake3
import pytest

from stackyard.errors import ArtifactNotFound, DigestMismatch, StoreError, UsageError
from stackyard.store import bundle
from stackyard.store.backend import open_backend
from stackyard.store.bundle import Bundles
from stackyard.store.packing import pack
from tests.racing import raced

FILES = {
    "dags/flights.py": "import helper\n",
    "dags/parts/é.py": "x = 1\n",
    "src/helper/__init__.py": "",
    "src/helper/data.csv": "a,b\n",
    "stacks/local.yaml": "components: {}\n",
    "pyproject.toml": "[project]\n",
}
NOT_CODE = (
    "README.md", "data/big.csv", ".env", ".stackyard/store/x", "dags/.hidden", "dags/.git/config",
    "dags/__pycache__/flights.pyc", "dags/generated/flights_dev.py", "src/helper.egg-info/PKG-INFO",
)  # fmt: skip


def project(root: Path, order: int = 1) -> Path:
    for name in [*FILES, *NOT_CODE][::order]:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(FILES.get(name, name), encoding="utf-8")
    return root


def roots(root: Path) -> list[Path]:
    return [root / "dags", root / "src"]


def files(folder: Path) -> dict[str, str]:
    found = (p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_text("utf-8") for p in found}


@pytest.fixture
def bundles(tmp_path: Path) -> Bundles:
    backend = open_backend(tmp_path / "store", cache_dir=tmp_path / "cache")
    return Bundles(backend, tmp_path / "cache")


def test_code_comes_back_at_the_same_paths(bundles: Bundles, tmp_path: Path) -> None:
    root = project(tmp_path / "project")
    (root / "dags/run.sh").write_text("#!/bin/sh\n")
    (root / "dags/run.sh").chmod(0o755)
    (root / "src/generated").mkdir()
    (root / "src/generated/x.py").write_text("kept")
    opened = bundles.open(bundles.put(root, roots(root)))
    expected = {**FILES, "dags/run.sh": "#!/bin/sh\n", "src/generated/x.py": "kept"}
    assert files(opened) == expected
    assert os.access(opened / "dags/run.sh", os.X_OK)
    assert (opened / "dags/flights.py").stat().st_mode & 0o777 == 0o444


def test_the_digest_is_of_the_code_alone(bundles: Bundles, tmp_path: Path) -> None:
    one, two = project(tmp_path / "one"), project(tmp_path / "a" / "two", order=-1)
    for path in two.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700 if path.is_dir() else 0o600)
    (two / "dags/__pycache__/more.pyc").write_text("x")
    digest = bundles.put(one, roots(one))
    assert bundles.put(two, [Path("src"), Path("dags"), Path("dags")]) == digest
    assert (
        digest == blake3.blake3(bundles.backend.get(f"artifacts/{digest[:2]}/{digest}")).hexdigest()
    )
    code = (
        "import sys, blake3; from pathlib import Path; from stackyard.store.packing import pack;"
        f"root = Path({str(two)!r}); data = pack(root, [root / 'dags', root / 'src']);"
        "print(blake3.blake3(data).hexdigest())"
    )
    env = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert done.stdout.strip() == digest, done.stderr
    (two / "src/helper/__init__.py").write_text("changed")
    assert bundles.put(two, roots(two)) != digest


def test_empty_code_roots_exist_when_opened(bundles: Bundles, tmp_path: Path) -> None:
    (tmp_path / "project/dags").mkdir(parents=True)
    opened = bundles.open(
        bundles.put(tmp_path / "project", [tmp_path / "project/dags", Path("no")])
    )
    assert [p.name for p in opened.iterdir()] == ["dags"]


def test_links_are_followed(bundles: Bundles, tmp_path: Path) -> None:
    root = project(tmp_path / "project")
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "lib.py").write_text("shared")
    (root / "src/shared").symlink_to(shared)
    (root / "src/one.py").symlink_to(shared / "lib.py")
    (root / "src/loop").symlink_to(root / "src")
    (root / "src/dangling.py").symlink_to(root / "nowhere")
    opened = files(bundles.open(bundles.put(root, roots(root))))
    assert opened["src/shared/lib.py"] == opened["src/one.py"] == "shared"
    assert not any(name.startswith(("src/loop/loop", "src/dangling")) for name in opened)


def test_too_much_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = project(tmp_path / "project")
    with (root / "src/flights.csv").open("wb") as file:
        file.truncate(40 * 2**20)
    pack(root, roots(root))
    with (root / "dags/model.bin").open("wb") as file:
        file.truncate(10 * 2**20)
    with pytest.raises(UsageError) as caught:
        pack(root, roots(root))
    assert str(caught.value).startswith(
        f"{root}: the code is 50.0 MB; a run keeps up to 50 MB. "
        "Largest: src/flights.csv (40.0 MB), dags/model.bin (10.0 MB), "
    )
    assert "Move data out of dags/" in str(caught.value)


def test_a_code_root_outside_of_the_project(tmp_path: Path) -> None:
    root = project(tmp_path / "project")
    for path in (tmp_path / "elsewhere", Path("../elsewhere"), root, Path(".")):
        with pytest.raises(UsageError, match="must be a folder inside of the project"):
            pack(root, [path])


def test_opening_again_repairs_what_was_changed(bundles: Bundles, tmp_path: Path) -> None:
    root = project(tmp_path / "project")
    digest = bundles.put(root, roots(root))
    opened = bundles.open(digest)
    before = (opened / "dags/flights.py").stat().st_ino
    (opened / "dags/__pycache__").mkdir()  # Python writes there; that is no change
    assert bundles.open(digest) == opened
    assert (opened / "dags/flights.py").stat().st_ino == before
    (opened / "dags/flights.py").chmod(0o644)
    (opened / "dags/flights.py").write_text("changed")
    (opened / "src/helper/data.csv").unlink()
    assert files(bundles.open(digest)) == FILES
    assert [p.name for p in bundles.folder.iterdir()] == [digest]


@pytest.mark.parametrize("extra", ["json.py", "dags/helper.py", "src/helper/more/x.csv", "src/ns/"])
def test_opening_again_removes_what_was_added(bundles: Bundles, tmp_path: Path, extra: str) -> None:
    """A module that is not in the bundle would hide another, or add code that nobody pinned."""
    root = project(tmp_path / "project")
    digest = bundles.put(root, roots(root))
    added = bundles.open(digest) / extra
    added.parent.mkdir(exist_ok=True)
    if extra.endswith("/"):
        added.mkdir()
    else:
        added.write_text("x = 2\n")
    opened = bundles.open(digest)
    assert files(opened) == FILES
    assert not added.exists()
    assert [p.name for p in bundles.folder.iterdir()] == [digest]


@pytest.mark.parametrize("name", ["src/helper", "dags/flights.py"])
def test_a_link_is_not_of_the_bundle(bundles: Bundles, tmp_path: Path, name: str) -> None:
    """Not even to the same content: whoever owns that could change it while a step runs."""
    root = project(tmp_path / "project")
    digest = bundles.put(root, roots(root))
    path = bundles.open(digest) / name
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    opened = bundles.open(digest)
    assert not (opened / name).is_symlink()
    assert files(opened) == FILES


def test_what_was_compiled_in_a_bundle_is_removed(bundles: Bundles, tmp_path: Path) -> None:
    """Processes that a step starts may write there; what runs from there must be compared."""
    root = project(tmp_path / "project")
    digest = bundles.put(root, roots(root))
    planted = bundles.open(digest) / "dags/__pycache__/flights.cpython-311.pyc"
    planted.parent.mkdir()
    planted.write_bytes(b"anything")
    before = planted.parents[1].stat().st_ino
    assert not (bundles.open(digest) / "dags/__pycache__").exists()
    assert planted.parents[1].stat().st_ino == before  # others may be importing from it


def test_opened_bundles_are_of_one_user(bundles: Bundles, tmp_path: Path) -> None:
    root = project(tmp_path / "project")
    digest = bundles.put(root, roots(root))
    bundles.folder.mkdir(parents=True)
    bundles.folder.chmod(0o777)
    bundles.open(digest)
    assert bundles.folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_bundles_of_another_user_are_refused(bundles: Bundles, tmp_path: Path) -> None:
    root = project(tmp_path / "project")
    digest = bundles.put(root, roots(root))
    bundles.open(digest)
    os.chown(bundles.folder, 12345, -1)
    with pytest.raises(StoreError, match="it belongs to another user"):
        bundles.open(digest)


@pytest.mark.parametrize(
    ("names", "reason"),
    [(["a", "a/b"], os.strerror(errno.EEXIST)), (["a" * 300], os.strerror(errno.ENAMETOOLONG))],
)
def test_why_a_bundle_cannot_be_extracted(bundles: Bundles, names: list[str], reason: str) -> None:
    digest = keep(
        bundles, {"bundle": 1, "folders": [], "files": {name: {"text": ""} for name in names}}
    )
    with pytest.raises(StoreError, match=f"{reason.lower()}$"):
        bundles.open(digest)


def test_a_bundle_that_is_missing_or_damaged(bundles: Bundles, tmp_path: Path) -> None:
    root = project(tmp_path / "project")
    digest = bundles.put(root, roots(root))
    with pytest.raises(ArtifactNotFound):
        bundles.open("0" * 64)
    path = bundles.backend.path(f"artifacts/{digest[:2]}/{digest}")
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"import helper", b"import hacker"))
    with pytest.raises(DigestMismatch, match=f"bundle {digest[:12]} is damaged"):
        bundles.open(digest)
    assert not bundles.folder.exists()


def keep(bundles: Bundles, content: Any) -> str:
    """A bundle that ``pack`` did not make; returns its digest."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    digest = blake3.blake3(data).hexdigest()
    bundles.backend.put_if_absent(f"artifacts/{digest[:2]}/{digest}", data)
    return digest


@pytest.mark.parametrize("place", ["folders", "files"])
@pytest.mark.parametrize(
    "path",
    [
        "../evil.py", "dags/../../evil.py", "/tmp/stackyard-evil.py", "dags//x.py", "./x.py", "..",
        "", "a\\..\\evil.py", "dags/\0.py",
    ],
)  # fmt: skip
def test_a_bundle_that_leaves_its_folder_is_refused(
    bundles: Bundles, tmp_path: Path, path: str, place: str
) -> None:
    files = {"dags/a.py": {"text": ""}} | ({path: {"text": ""}} if place == "files" else {})
    folders = ["dags", path] if place == "folders" else ["dags"]
    digest = keep(bundles, {"bundle": 1, "folders": folders, "files": files})
    with pytest.raises(StoreError, match="which is no plain path inside of it"):
        bundles.open(digest)
    assert not bundles.folder.exists()
    assert not (tmp_path / "cache/evil.py").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"no bundle at all",
        b"",
        b"[]",
        {"bundle": 2, "folders": [], "files": {}},
        {"bundle": 1, "folders": []},
        {"bundle": 1, "folders": [1], "files": {}},
        {"bundle": 1, "folders": [], "files": {"a.py": "text"}},
        {"bundle": 1, "folders": [], "files": {"a.py": {}}},
        {"bundle": 1, "folders": [], "files": {"a.py": {"text": 1}}},
        {"bundle": 1, "folders": [], "files": {"a.py": {"text": "\ud800"}}},
        {"bundle": 1, "folders": [], "files": {"a.py": {"base64": "?"}}},
        {"bundle": 1, "folders": [], "files": {"\ud800.py": {"text": ""}}},
    ],
)
def test_something_else_under_the_digest(bundles: Bundles, content: Any) -> None:
    digest = keep(bundles, content)
    with pytest.raises(StoreError, match=f"^bundle {digest[:12]} cannot be read: "):
        bundles.open(digest)
    assert not bundles.folder.exists()


def test_every_byte_comes_back(bundles: Bundles, tmp_path: Path) -> None:
    root = project(tmp_path / "project")
    contents = [bytes(range(256)), "\ufeff# é\r\n\0 \u2028".encode(), b"", b"\xed\xa0\x80"]
    for number, content in enumerate(contents):
        (root / f"src/{number}.dat").write_bytes(content)
    opened = bundles.open(bundles.put(root, roots(root)))
    assert [(opened / f"src/{n}.dat").read_bytes() for n in range(len(contents))] == contents


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    root = project(tmp_path / "project")
    Path(os.fsdecode(os.fsencode(root / "src") + b"/\xff.py")).write_text("")
    with pytest.raises(UsageError, match="rename it; a file of code has a UTF-8 name"):
        pack(root, roots(root))


OPENER = """
import sys
from pathlib import Path
from stackyard.store.backend import open_backend
from stackyard.store.bundle import Bundles
url, cache, digest = sys.argv[1:]
bundles = Bundles(open_backend(url, cache_dir=Path(cache)), Path(cache))
print("ready", flush=True)
sys.stdin.readline()
folder = bundles.open(digest)
found = list((folder / "src").glob("m*.py"))
print(len(found), sum(p.stat().st_size for p in found))
"""


def test_four_processes_open_one_bundle(bundles: Bundles, tmp_path: Path) -> None:
    root = project(tmp_path / "project")
    for i in range(300):
        (root / f"src/m{i:03d}.py").write_text("x" * 100)
    digest = bundles.put(root, roots(root))
    argv = [sys.executable, "-c", OPENER, bundles.backend.url, str(tmp_path / "cache"), digest]
    assert raced([argv] * 4) == ["300 30000\n"] * 4
    assert [p.name for p in bundles.folder.iterdir()] == [digest]


def test_a_bundle_saved_again_is_refreshed(
    bundles: Bundles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = project(tmp_path / "project")
    digest = bundles.put(root, roots(root))
    key = f"artifacts/{digest[:2]}/{digest}"
    path = bundles.backend.path(key)
    for age, refreshed in ((bundle.REFRESH_AFTER - 60, False), (bundle.REFRESH_AFTER + 60, True)):
        old = os.stat(path).st_atime - age
        os.utime(path, (os.stat(path).st_atime, old))
        bundles.put(root, roots(root))
        assert (bundles.backend.modified(key) > old + 1) is refreshed


def test_bundles_in_a_remote_store(s3_url: str, tmp_path: Path) -> None:
    root = project(tmp_path / "project")
    backend = open_backend(s3_url, cache_dir=tmp_path / "cache")
    digest = Bundles(backend, tmp_path / "cache").put(root, roots(root))
    elsewhere = open_backend(s3_url, cache_dir=tmp_path / "other")
    assert files(Bundles(elsewhere, tmp_path / "other").open(digest)) == FILES
