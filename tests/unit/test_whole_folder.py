"""A file or folder takes its place whole, or what was there stays."""

from __future__ import annotations

import errno
import fcntl
from pathlib import Path

import pytest

from stackyard import whole_folder
from stackyard.errors import AlreadyExists
from stackyard.whole_folder import made_whole


def fill(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text(name)
    return folder


@pytest.fixture(params=["swap", "no swap"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the system's swap, and on one that has none."""
    if request.param == "no swap":
        monkeypatch.setattr(whole_folder, "_swapped", lambda one, other: False)


@pytest.mark.usefixtures("way")
def test_it_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    for before in ("file", "folder", "empty", "nothing"):
        target = tmp_path / before
        if before in ("folder", "empty"):
            fill(target, *(["old"] if before == "folder" else []))
        with made_whole(target, overwrite=True) as beside:
            fill(beside, "new")
        assert [p.name for p in target.iterdir()] == ["new"]
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.usefixtures("way")
def test_what_fails_leaves_all_as_it_was(tmp_path: Path) -> None:
    target = fill(tmp_path / "target", "old")
    with pytest.raises(KeyboardInterrupt), made_whole(target, overwrite=True) as beside:
        fill(beside, "half")
        raise KeyboardInterrupt
    with pytest.raises(FileNotFoundError), made_whole(target, overwrite=True):
        pass  # nothing was made
    assert [p.name for p in target.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("meanwhile", ["file", "folder"])
@pytest.mark.parametrize("made", ["file", "folder"])
def test_what_was_put_there_meanwhile_stays(tmp_path: Path, made: str, meanwhile: str) -> None:
    target = tmp_path / "target"
    with pytest.raises(AlreadyExists), made_whole(target, overwrite=False) as beside:
        beside.write_text("new") if made == "file" else fill(beside, "new")
        target.write_text("mine") if meanwhile == "file" else fill(target, "mine")
    assert (target if meanwhile == "file" else target / "mine").read_text() == "mine"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("before", ["nothing", "an empty folder"])
@pytest.mark.parametrize("made", ["file", "folder"])
def test_it_takes_the_place_of_nothing_or_an_empty_folder(
    tmp_path: Path, made: str, before: str
) -> None:
    target = tmp_path / "deep" / "target"
    if before != "nothing":
        fill(target)
    with made_whole(target, overwrite=False) as beside:
        beside.write_text("new") if made == "file" else fill(beside, "new")
    assert (target if made == "file" else target / "new").read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def test_what_another_is_making_stays(tmp_path: Path) -> None:
    target = tmp_path / "target"
    with made_whole(target, overwrite=True) as first:
        fill(first, "first")
        with made_whole(target, overwrite=True) as second:
            fill(second, "second")
        assert [p.name for p in target.iterdir()] == ["second"]
    assert [p.name for p in target.iterdir()] == ["first"]
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("locks", [True, False])
def test_what_a_killed_process_left_goes(
    tmp_path: Path, locks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the file system has locks, by which those who live are known."""
    left = fill(tmp_path / ".target.stackyard-0a1b2c3d", "half")
    others = [fill(tmp_path / name, "mine") for name in (".target", ".target.stackyard", ".other")]

    def refused(*args: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    if not locks:
        monkeypatch.setattr(fcntl, "flock", refused)
    with made_whole(tmp_path / "target", overwrite=False) as beside:
        fill(beside, "new")
    assert left.exists() != locks
    assert all((other / "mine").is_file() for other in others)
    assert len(list(tmp_path.iterdir())) == 4 + (not locks)


@pytest.mark.usefixtures("way")
def test_it_takes_the_place_of_what_another_was_faster_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two overwrite what neither saw: one is last, and none fails."""
    target, exchange = tmp_path / "target", whole_folder._exchange

    def late(one: Path, other: Path) -> bool:
        found = exchange(one, other)
        if not other.exists():
            fill(target, "theirs")
        return found

    monkeypatch.setattr(whole_folder, "_exchange", late)
    with made_whole(target, overwrite=True) as made:
        fill(made, "mine")
    assert [path.name for path in tmp_path.rglob("*")] == ["target", "mine"]


def test_linux_swaps_in_one_step(tmp_path: Path) -> None:
    one, other = fill(tmp_path / "one", "1"), fill(tmp_path / "other", "2")
    if not whole_folder._swapped(one, other):
        pytest.skip("this file system cannot")
    assert (one / "2").is_file() and (other / "1").is_file()
