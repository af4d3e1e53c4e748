"""Files and folders as values: equal content is equal, and a manifest cannot lead elsewhere."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from stackyard.errors import DigestMismatch, StoreError
from stackyard.store.artifacts import Artifacts
from stackyard.store.formats.folder import HEADER, unfold
from tests.unit.stores import file_of, opened, overwrite


@pytest.fixture
def store(tmp_path: Path) -> Artifacts:
    return opened(tmp_path)


def tree(root: Path, names: tuple[str, ...] = ("b/c.txt", "a.txt", "é ü.bin")) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}")
    (root / "empty/inner").mkdir(parents=True)
    return root


def content(root: Path) -> dict[str, str | None]:
    return {
        p.relative_to(root).as_posix(): p.read_text() if p.is_file() else None
        for p in root.rglob("*")
    }


def test_a_folder_comes_back_whatever_the_order_of_writing(
    store: Artifacts, tmp_path: Path
) -> None:
    one = tree(tmp_path / "one")
    two = tree(tmp_path / "two", ("é ü.bin", "a.txt", "b/c.txt"))
    ref = store.save(one)
    assert ref.format == "folder"
    assert store.save(two) == ref
    back = store.load(ref)
    assert content(back) == content(one)
    assert store.save(back) == ref


def test_a_file_keeps_its_name_and_executable_bit(store: Artifacts, tmp_path: Path) -> None:
    script = tmp_path / "run.sh"
    script.write_text("#!/bin/sh\n")
    plain = store.save(script)
    script.chmod(0o755)
    ref = store.save(script)
    back = store.load(ref)
    assert plain.digest != ref.digest
    assert (back.name, back.read_text()) == ("run.sh", "#!/bin/sh\n")
    assert os.access(back, os.X_OK) and not os.access(store.load(plain), os.X_OK)


def test_a_path_that_names_nothing_is_refused(store: Artifacts, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"nothing\.txt does not exist"):
        store.save(tmp_path / "nothing.txt")


def test_links_lead_only_to_files_in_the_folder(store: Artifacts, tmp_path: Path) -> None:
    root = tree(tmp_path / "one")
    (root / "same.txt").symlink_to("a.txt")
    back = store.load(store.save(root))
    assert (back / "same.txt").read_text() == "content of a.txt"
    assert not (back / "same.txt").is_symlink()
    (root / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(StoreError, match="passwd is not a file"):
        store.save(root)


def test_a_reader_who_changes_the_copy_changes_it_for_nobody(
    store: Artifacts, tmp_path: Path
) -> None:
    root = tree(tmp_path / "one")
    ref = store.save(root)
    back = store.load(ref)
    overwrite(back / "a.txt", b"changed")
    (back / "more.txt").write_text("more")
    assert content(store.load(ref)) == content(root)
    assert content(opened(tmp_path).load(ref)) == content(root)


def test_a_damaged_blob_is_not_laid_out(tmp_path: Path) -> None:
    root = tree(tmp_path / "one")
    store = opened(tmp_path)
    ref = store.save(root)
    blob = next(iter(store.references([ref.digest])))
    overwrite(file_of(store, blob), b"damaged")
    with pytest.raises(DigestMismatch, match=blob[:12]):
        opened(tmp_path).load(ref)


@pytest.mark.parametrize(
    "path",
    [
        "../out",
        "/etc/cron.d/x",
        "a/../../out",
        "a//b",
        "./a",
        "",
        "a\\..\\b",
        "a\0b",
        "a/.",
        "\ud800",
    ],
)
def test_a_manifest_cannot_lead_out_of_its_folder(
    store: Artifacts, tmp_path: Path, path: str
) -> None:
    digest = store.save(1).digest
    entry = {"path": path, "digest": digest, "size": 1, "executable": False}
    for files, empty in ([entry], []), ([], [path]):
        data = HEADER + json.dumps({"kind": "folder", "files": files, "empty": empty}).encode()
        with pytest.raises(StoreError, match="may not stand"):
            unfold(data, store)
    assert not (tmp_path / "cache/folders").exists()


def test_a_manifest_with_a_wrong_digest_or_a_path_twice_is_refused(store: Artifacts) -> None:
    entry = {"path": "a", "digest": "../../etc/passwd", "size": 1, "executable": False}
    with pytest.raises(StoreError, match="wrong digest for 'a'"):
        unfold(HEADER + json.dumps({"kind": "x", "files": [entry], "empty": []}).encode(), store)
    with pytest.raises(StoreError, match="twice"):
        unfold(HEADER + json.dumps({"files": [entry, entry], "empty": []}).encode(), store)


def test_keeping_a_folder_and_a_file_that_looks_like_a_manifest(
    store: Artifacts, tmp_path: Path
) -> None:
    root = tree(tmp_path / "one")
    assert content(store.fetch(store.keep(root))) == content(root)
    trap = tmp_path / "trap"
    trap.write_bytes(file_of(store, store.keep(root)).read_bytes())
    assert store.fetch(store.keep(trap)).read_bytes() == trap.read_bytes()


def test_references_are_what_collection_must_keep(store: Artifacts, tmp_path: Path) -> None:
    root = tree(tmp_path / "one")
    folder = store.save(root)
    blobs = store.references([folder.digest])
    assert {file_of(store, b).read_text() for b in blobs} == {
        text for text in content(root).values() if text
    }
    assert store.references([store.save("x" * 100).digest, "ab" * 32]) == set()
    deep = store.save({"report": [object.__new__(Marked), {1, 2}]})
    assert deep.format == "parts"
    assert len(store.references([deep.digest])) == 1


class Marked:
    """Not plain, so it becomes a part."""
