"""The part of a data versioner's contract that is about its capabilities."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from stackyard.components.base import Context
from stackyard.components.data_versioner import DataDiff, DataVersioner
from stackyard.errors import NotFound, Unavailable, Unsupported
from stackyard.testing.component import DEADLINE
from stackyard.testing.data_versioner_case import FILES, DataVersionerCase, write
from stackyard.testing.manners import files_in, needs


class DataVersionerCapabilities(DataVersionerCase):
    """Comparing, verifying, pushing and pulling."""

    def test_16_two_versions_are_compared(
        self, versioner: DataVersioner, data: Path, tmp_path: Path
    ) -> None:
        """By file, sorted (capability ``diff``)."""
        needs(versioner, "diff")
        first = versioner.commit(data, "flights")
        (data / "a.csv").write_text("changed")
        (data / "empty.txt").unlink()
        write(data, {"new/b": b"2", "new/a": b"1"})
        second = versioner.commit(data, "flights")
        found = versioner.diff("flights", first.id, second.id)
        assert found == DataDiff(("new/a", "new/b"), ("a.csv",), ("empty.txt",))
        assert versioner.diff("flights", first.id, first.id) == DataDiff()
        one = versioner.commit(data / "new/a", "flights")
        other = versioner.commit(data / "new/b", "flights")
        assert versioner.diff("flights", one.id, other.id) == DataDiff(changed=("flights",))
        with pytest.raises(NotFound, match=first.id):
            versioner.diff("flights", first.id, "0" * 32)

    def test_17_damage_is_found(
        self, versioner: DataVersioner, context: Context, data: Path, tmp_path: Path
    ) -> None:
        """Verifying names the file; checking out refuses and makes nothing (``verify``)."""
        needs(versioner, "verify")
        version = versioner.commit(data, "flights")
        assert list(versioner.verify("flights", version.id)) == []
        with pytest.raises(NotFound):
            versioner.verify("flights", "0" * 32)
        if not self.damage(versioner, "flights", version.id, "deep/er/b.bin"):
            pytest.skip("nothing that is kept can be damaged")
        later = self.connect(context)
        assert list(later.verify("flights", version.id)) == ["deep/er/b.bin"]
        cure = ".*pull" if "remote" in later.capabilities else ""
        with pytest.raises(NotFound, match=rf"deep/er/b\.bin{cure}"):
            later.checkout("flights", version.id, tmp_path / "out")
        assert not (tmp_path / "out").exists()
        assert later.commit(data, "flights") == version  # the content is at hand: it is kept anew
        assert list(later.verify("flights", version.id)) == []
        later.close()

    def test_18_what_is_pushed_is_pulled_elsewhere(
        self, versioner: DataVersioner, context: Context, data: Path, tmp_path: Path
    ) -> None:
        """By name and id alone, the whole version (capability ``remote``)."""
        needs(versioner, "remote")
        versions = [versioner.commit(data, "flights"), versioner.commit(data / "a.csv", "flights")]
        for name in ("flights", "fligths"):  # what is at hand is not yet in the remote
            for version in versions:
                with pytest.raises(NotFound):
                    versioner.pull(name, version.id)
        assert list(versioner.list("fligths")) == []
        for version in versions:
            versioner.push("flights", version.id)
            versioner.push("flights", version.id)
        with pytest.raises(NotFound):
            versioner.push("flights", "0" * 32)
        other = self.elsewhere(context)
        for number, version in enumerate(versions):
            with pytest.raises(NotFound):
                other.checkout("flights", version.id, tmp_path / "out")
            assert other.pull("flights", version.id) == version
            assert other.pull("flights", version.id) == version
            assert len(other.list("flights")) == number + 1
        other.checkout("flights", versions[0].id, tmp_path / "out")
        assert files_in(tmp_path / "out") == FILES
        for wrong in ("0" * 32, "../flights", ""):
            with pytest.raises(NotFound):
                other.pull("flights", wrong)
        other.close()

    def test_19_pulling_repairs(self, versioner: DataVersioner, data: Path, tmp_path: Path) -> None:
        """Pushing what is damaged is refused (capabilities ``remote`` and ``verify``)."""
        needs(versioner, "remote", "verify")
        version = versioner.commit(data, "flights")
        versioner.push("flights", version.id)
        if not self.damage(versioner, "flights", version.id, "deep/er/b.bin"):
            pytest.skip("nothing that is kept can be damaged")
        assert list(versioner.verify("flights", version.id)) == ["deep/er/b.bin"]
        assert versioner.pull("flights", version.id) == version
        assert list(versioner.verify("flights", version.id)) == []
        versioner.checkout("flights", version.id, tmp_path / "out")
        assert files_in(tmp_path / "out") == FILES
        write(data, {"only/here.csv": b"3,AA"})
        version = versioner.commit(data, "flights")
        assert self.damage(versioner, "flights", version.id, "only/here.csv")
        with pytest.raises(NotFound, match=r"only/here\.csv"):
            versioner.push("flights", version.id)
        with closing(self.elsewhere(versioner.context)) as other, pytest.raises(NotFound):
            other.pull("flights", version.id)

    def test_20_what_it_cannot_do_it_says(self, versioner: DataVersioner, data: Path) -> None:
        """Unsupported for each capability that it does not have, which it names."""
        lacking = versioner.optional.keys() - versioner.capabilities
        if not lacking:
            pytest.skip("has all capabilities")
        version = versioner.commit(data, "flights").id
        calls = {
            "remote": (
                lambda: versioner.push("flights", version),
                lambda: versioner.pull("flights", version),
            ),
            "diff": (lambda: versioner.diff("flights", version, version),),
            "verify": (lambda: versioner.verify("flights", version),),
        }
        for capability in lacking:
            for call in calls[capability]:
                with pytest.raises(Unsupported, match=capability):
                    call()

    def test_21_without_the_remote_the_rest_goes_on(
        self, context: Context, data: Path, tmp_path: Path
    ) -> None:
        """Neither pushing nor pulling takes longer than the deadline (capability ``remote``)."""
        made = self.unreachable(replace(context, deadline=DEADLINE))
        if made is None:
            pytest.skip("there is no remote, or it is always there")
        version = made.commit(data, "flights")
        for call in (made.push, made.pull):
            start = time.monotonic()
            with pytest.raises(Unavailable):
                call("flights", version.id)
            assert time.monotonic() - start < DEADLINE
        assert list(made.list()) == [version]
        made.checkout("flights", version.id, tmp_path / "out")
        assert files_in(tmp_path / "out") == FILES
        made.close()
