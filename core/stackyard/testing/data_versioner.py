"""The contract of a data versioner as tests; numbered in docs/reference/data-versioner.md."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from stackyard.components.base import Context
from stackyard.components.data_versioner import DataVersioner
from stackyard.errors import AlreadyExists, InvalidInput, NotFound
from stackyard.testing.data_versioner_capabilities import DataVersionerCapabilities
from stackyard.testing.data_versioner_case import FILES, write
from stackyard.testing.manners import files_in, side_by_side
from stackyard.testing.stand_ins import Journal


class DataVersionerContract(DataVersionerCapabilities):
    """Inherit, say what a stack says of the data versioner."""

    # Committing

    def test_01_what_is_committed_comes_back(
        self, versioner: DataVersioner, data: Path, tmp_path: Path
    ) -> None:
        """Nested files, empty ones, any name, a single file: bit for bit."""
        begun = time.time()
        version = versioner.commit(data, "flights")
        size = sum(map(len, FILES.values()))
        assert (version.name, version.size, version.files) == ("flights", size, len(FILES))
        assert begun - 1 < version.committed < time.time() + 1
        assert versioner.checkout("flights", version.id, tmp_path / "out") == version
        assert files_in(tmp_path / "out") == FILES
        one = versioner.commit(data / "a.csv", "table")
        assert (one.name, one.size, one.files) == ("table", len(FILES["a.csv"]), 1)
        assert (version.suffix, one.suffix) == ("", ".csv")
        versioner.checkout("table", one.id, tmp_path / "new" / "table.csv")
        assert (tmp_path / "new" / "table.csv").read_bytes() == FILES["a.csv"]

    def test_02_equal_content_has_an_equal_id(
        self, versioner: DataVersioner, context: Context, data: Path, tmp_path: Path
    ) -> None:
        """Wherever it lies, under any name, in any order, with any times and modes."""
        version = versioner.commit(data, "flights")
        again = write(tmp_path / "again", dict(reversed(FILES.items())))
        for number, path in enumerate(sorted(again.rglob("*"))):
            os.utime(path, (number, number))
        (again / "a.csv").chmod(0o600)
        (again / "no files").mkdir()
        assert self.connect(context).commit(again, "other").id == version.id
        assert versioner.commit(again, "flights") == version

    def test_03_other_content_has_another_id(
        self, versioner: DataVersioner, data: Path, tmp_path: Path
    ) -> None:
        """A byte, a name, a place in the tree, one file more or less."""
        ids = {versioner.commit(data, "flights").id}
        changes: list[Mapping[str, bytes]] = [
            {**FILES, "a.csv": b"hour,carrier\n1,UB\n"},
            {("A.csv" if name == "a.csv" else name): data for name, data in FILES.items()},
            {("deep/a.csv" if name == "a.csv" else name): data for name, data in FILES.items()},
            {**FILES, "more.txt": b""},
            {name: data for name, data in FILES.items() if name != "empty.txt"},
        ]
        for number, files in enumerate(changes):
            ids.add(versioner.commit(write(tmp_path / str(number), files), "flights").id)
        assert len(ids) == 1 + len(changes)

    def test_04_committing_again_gives_the_version_that_there_is(
        self, versioner: DataVersioner, context: Context, data: Path
    ) -> None:
        """With the time and the ending of the first commit, listed once."""
        version = versioner.commit(data, "flights")
        time.sleep(0.02)
        assert versioner.commit(data, "flights") == version
        assert self.connect(context).commit(data, "flights") == version
        assert list(versioner.list()) == [version]
        one = versioner.commit(data / "a.csv", "table")
        (data / "a.csv").rename(data / "a.txt")
        assert versioner.commit(data / "a.txt", "table") == one

    @pytest.mark.parametrize(
        "case", ["missing", "empty", "no file", "folder link", "dead link", "socket"]
    )
    def test_05_what_cannot_be_kept_is_refused(
        self, versioner: DataVersioner, context: Context, case: str
    ) -> None:
        """Nothing, and what would be lost silently; the error names it."""
        path = context.project / "refused"
        if case != "missing":
            path.mkdir()
        if case == "no file":
            (path / "inner").mkdir()
        if case in ("folder link", "dead link", "socket"):
            (path / "sound.txt").write_text("sound")
        if case == "folder link":
            (path / "it").symlink_to(context.project)
        if case == "dead link":
            (path / "it").symlink_to(context.project / "nothing")
        if case == "socket":
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(os.path.relpath(path / "it"))
        with pytest.raises(InvalidInput, match="refused"):
            versioner.commit(path, "flights")
        assert list(versioner.list()) == []

    @pytest.mark.parametrize(
        "wrong", ["", "a/b", "../a", ".", "..", ".a", "a.", "a b", "a\n", "ä", "{{ a }}", "x" * 300]
    )
    def test_06_names_are_checked(self, versioner: DataVersioner, data: Path, wrong: str) -> None:
        """They reach paths and addresses."""
        with pytest.raises(InvalidInput):
            versioner.commit(data, wrong)

    def test_07_a_link_to_a_file_counts_as_the_file(
        self, versioner: DataVersioner, data: Path, context: Context, tmp_path: Path
    ) -> None:
        """What comes back is a file."""
        version = versioner.commit(data, "flights")
        away = context.project / "away.csv"
        (data / "a.csv").rename(away)
        (data / "a.csv").symlink_to(away)
        assert versioner.commit(data, "flights").id == version.id
        versioner.checkout("flights", version.id, tmp_path / "out")
        assert not (tmp_path / "out" / "a.csv").is_symlink()
        assert files_in(tmp_path / "out") == FILES

    # Checking out

    def test_08_into_what_is_new_or_empty(
        self, versioner: DataVersioner, data: Path, tmp_path: Path
    ) -> None:
        """Parents are made; relative paths count from the project; nothing is left beside."""
        version = versioner.commit(Path("data"), "flights")
        assert version == versioner.commit(data, "flights")
        (tmp_path / "empty").mkdir()
        for target in (tmp_path / "some" / "where", tmp_path / "empty", Path("out")):
            versioner.checkout("flights", version.id, target)
            made = versioner.context.project / target
            assert files_in(made) == FILES
            assert not [p for p in made.parent.iterdir() if p.name.startswith(f".{made.name}")]

    def test_09_nothing_of_the_users_is_touched(
        self, versioner: DataVersioner, data: Path, tmp_path: Path
    ) -> None:
        """A file or a folder that holds something is AlreadyExists."""
        version = versioner.commit(data, "flights")
        mine = write(tmp_path / "mine", {"notes.txt": b"mine"})
        for target in (mine, mine / "notes.txt"):
            with pytest.raises(AlreadyExists):
                versioner.checkout("flights", version.id, target)
        assert files_in(mine) == {"notes.txt": b"mine"}

    def test_10_overwriting_makes_it_exactly_the_version(
        self, versioner: DataVersioner, data: Path, tmp_path: Path
    ) -> None:
        """What the version does not have goes; a file takes a folder's place and back."""
        version = versioner.commit(data, "flights")
        one = versioner.commit(data / "a.csv", "flights")
        target = write(tmp_path / "target", {"a.csv": b"old", "deep": b"a file", "extra": b"x"})
        versioner.checkout("flights", version.id, target, overwrite=True)
        assert files_in(target) == FILES
        versioner.checkout("flights", one.id, target, overwrite=True)
        assert target.read_bytes() == FILES["a.csv"]
        versioner.checkout("flights", version.id, target, overwrite=True)
        assert files_in(target) == FILES
        own = versioner.context.project / ".stackyard" / "store"
        write(own, {"run": b"a record"})
        for kept in (Path("."), Path(".stackyard"), own):
            with pytest.raises(InvalidInput):
                versioner.checkout("flights", version.id, kept, overwrite=True)
        assert data.is_dir() and files_in(own) == {"run": b"a record"}

    def test_11_a_version_stays_what_it_is(
        self, versioner: DataVersioner, data: Path, tmp_path: Path
    ) -> None:
        """Whatever is done, in place, to the committed path or to a folder checked out."""
        version = versioner.commit(data, "flights")
        versioner.checkout("flights", version.id, tmp_path / "out")
        for folder in (data, tmp_path / "out"):
            with (folder / "deep/er/b.bin").open("r+b") as file:
                file.write(b"changed")
            with (folder / "a.csv").open("ab") as file:
                file.write(b"3,AA\n")
            (folder / "empty.txt").unlink()
        versioner.checkout("flights", version.id, tmp_path / "later")
        assert files_in(tmp_path / "later") == FILES
        assert versioner.commit(data, "flights").id != version.id

    # Finding

    def test_12_newest_first(self, versioner: DataVersioner, context: Context, data: Path) -> None:
        """Of one dataset or of all; none of one that is not known."""
        made = []
        for number in range(3):
            (data / "a.csv").write_text(f"number {number}")
            made.append(versioner.commit(data, "flights"))
            time.sleep(0.02)
        other = versioner.commit(data, "weather")
        for one in (versioner, self.connect(context)):
            assert list(one.list("flights")) == made[::-1]
            assert list(one.list()) == [other, *made[::-1]]
            assert list(one.list("planes")) == []

    def test_13_what_is_not_there(
        self, versioner: DataVersioner, data: Path, tmp_path: Path
    ) -> None:
        """NotFound, naming what there is; no target is made."""
        with pytest.raises(NotFound):
            versioner.checkout("flights", "0" * 32, tmp_path / "out")
        version = versioner.commit(data, "flights")
        other = versioner.commit(data / "a.csv", "other")
        ways = (f"../other/{other.id}", f"./{version.id}", f"{version.id}\n", f"{version.id}' --")
        for wrong in ("0" * 32, "../../etc/passwd", "", "x" * 300, other.id, *ways):
            with pytest.raises(NotFound, match=version.id):
                versioner.checkout("flights", wrong, tmp_path / "out")
        for wrong in ("./flights", "flights/", "other/../flights", "flights\n", "", "x" * 300):
            with pytest.raises((NotFound, InvalidInput)):
                versioner.checkout(wrong, version.id, tmp_path / "out")
            with contextlib.suppress(InvalidInput):
                assert list(versioner.list(wrong)) == []
        with pytest.raises(NotFound):
            versioner.checkout("weather", version.id, tmp_path / "out")
        assert not (tmp_path / "out").exists()

    # Manners

    def test_14_the_record_says_which_data_it_was(
        self, versioner: DataVersioner, context: Context, data: Path, tmp_path: Path
    ) -> None:
        """Committing and checking out note the version."""
        version = versioner.commit(data, "flights")
        versioner.checkout("flights", version.id, tmp_path / "out")
        assert isinstance(context.journal, Journal)
        assert context.journal.entries == [version, version]

    def test_15_nothing_is_lost_when_many_commit_at_once(
        self, versioner: DataVersioner, context: Context, data: Path, tmp_path: Path
    ) -> None:
        """Also the first time, the same content and other content."""
        own = [write(tmp_path / str(n), {**FILES, "n": str(n).encode()}) for n in range(4)]

        def work(other: Path) -> list[str]:
            mine = self.connect(context)
            made = [mine.commit(path, "flights").id for path in (data, other)]
            mine.close()
            return made

        ids = {one for made in side_by_side(work, own) for one in made}
        assert {v.id for v in versioner.list("flights")} == ids and len(ids) == 5
        for number, one in enumerate(sorted(ids)):
            versioner.checkout("flights", one, tmp_path / "out" / str(number))
            assert files_in(tmp_path / "out" / str(number)).items() >= FILES.items()
