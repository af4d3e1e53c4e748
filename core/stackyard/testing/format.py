"""The contract of an artifact format as tests; numbered in docs/reference/formats.md."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from stackyard import plugins
from stackyard.errors import DigestMismatch, StoreError, Unstorable
from stackyard.flavors import ArtifactFormat
from stackyard.store.artifacts import Artifacts
from stackyard.store.formats import Format, FormatRegistry, Sink, builtin_formats
from stackyard.store.records import ArtifactRef
from stackyard.store.store import open_store
from stackyard.testing.contract import Contract, offered
from stackyard.testing.elsewhere import elsewhere
from stackyard.testing.format_work import run_in_pipeline, runs_code, save_and_load
from stackyard.testing.processes import imported_for

SUFFIX = re.compile(r"(\.[A-Za-z0-9]+)+")
COMMON: tuple[Any, ...] = (None, 1, "text", b"bytes", [1.5, (2,)], {"a": {1, 2}})
_FINDING = """
import json, sys
given = json.loads(sys.argv[1])
from stackyard import plugins
from stackyard.store.formats import FormatRegistry
FormatRegistry(plugins.load().formats()).named(given)
"""


class NextFormat(Format):
    """Asked after all others but pickle: takes anything."""

    name: ClassVar[str] = "next"

    def write(self, value: Any, sink: Sink) -> None:
        """Keep nothing."""
        sink.write(b"next/1\n")

    def read(self, path: Path) -> Any:
        """Nothing was kept."""


class FormatContract(Contract, ABC):
    """Inherit, say what the format is called, and give examples of values.

    Each method makes its values anew: a test may change them.
    """

    format: ClassVar[str]

    @abstractmethod
    def values(self) -> Sequence[Any]:
        """Values that the format stores, each different from all others."""

    @abstractmethod
    def equal(self) -> Sequence[tuple[Any, Any]]:
        """Pairs of values that are equal and have become so in different ways; at least one.

        Members that were added in another order or removed again, another memory layout, what was
        computed and cached on the way: whatever is not content.
        """

    @abstractmethod
    def refused(self) -> Sequence[Any]:
        """Values of the format's types that it does not store, of a subclass, for one.

        Empty where it stores them all.
        """

    @abstractmethod
    def change(self, value: Any) -> None:
        """Change ``value`` in place; do nothing where nobody can."""

    def same(self, one: Any, other: Any) -> bool:
        """Whether two values are equal, and of one type."""
        return type(one) is type(other) and bool(one == other)

    # Fixtures

    @pytest.fixture
    def store(self, tmp_path: Path) -> Artifacts:
        """A store with the formats of all plugins that are installed."""
        return opened(tmp_path)

    @pytest.fixture
    def descriptor(self) -> ArtifactFormat:
        """What the plugin says of the format."""
        return offered("format", self.format, plugins.load().formats())

    # Values

    def test_01_what_was_stored_comes_back(self, store: Artifacts) -> None:
        """Each value as it was; stored by this format, because it is of one of its types."""
        for value, again in zip(self.values(), self.values(), strict=True):
            ref = store.save(value)
            assert ref.format == self.format
            assert self.same(store.load(ref), again)

    def test_02_equal_values_have_equal_bytes(self, store: Artifacts) -> None:
        """Whatever their history; a value that was read is equal to the one that was written.

        Of ``equal()`` there has to be a pair.
        """
        pairs = self.equal()
        assert pairs, "equal() gives no pair"
        for one, other in pairs:
            assert self.same(one, other), "equal() gives values that same() finds different"
            assert store.save(one).digest == store.save(other).digest
        for value in self.values():
            ref = store.save(value)
            assert store.save(store.load(ref)) == ref

    def test_03_whatever_the_process(self, store: Artifacts) -> None:
        """Bytes depend on no hash seed, time, time zone or folder; two may work at once."""
        here = [store.save(value).digest for value in self.values()]
        other = str(store.cache_dir.parent / "other")
        assert elsewhere(type(self), save_and_load, other, times=2) == [here, here]

    def test_04_different_values_have_different_bytes(self, store: Artifacts) -> None:
        """What is content is in the bytes."""
        found = [store.save(value).digest for value in self.values()]
        assert len(set(found)) == len(found) > 1

    def test_05_what_is_read_belongs_to_its_caller(self, store: Artifacts, tmp_path: Path) -> None:
        """Who changes it changes nothing that is stored, and nobody else's value."""
        for value, again in zip(self.values(), self.values(), strict=True):
            ref = store.save(value)
            mine, another = store.load(ref), store.load(ref)
            self.change(mine)
            assert self.same(another, again)
            assert self.same(opened(tmp_path).load(ref), again)

    def test_06_writing_leaves_the_value_as_it_was(self, store: Artifacts) -> None:
        """The step that made it may still use it."""
        for value, again in zip(self.values(), self.values(), strict=True):
            store.save(value)
            assert self.same(value, again)

    # Which format

    def test_07_what_it_does_not_store_is_for_the_next(self, store: Artifacts) -> None:
        """It says Unsuited, and the next format that fits is asked.

        Skipped where ``refused()`` is empty: the format stores whatever is of its types.
        """
        refused = self.refused()
        if not refused:
            pytest.skip("refused() is empty: it stores whatever is of its types")
        last = ArtifactFormat("next", ("builtins.object",), f"{__name__}:NextFormat", -99)
        formats = FormatRegistry([*plugins.load().formats(), last])
        for value in refused:
            with pytest.raises(Unstorable):
                store.save(value, hint=self.format)
            assert Artifacts(store.backend, formats).save(value).format != self.format

    def test_08_other_values_are_stored_as_before(self, store: Artifacts, tmp_path: Path) -> None:
        """The format takes nothing that is not of its types."""
        (tmp_path / "x").write_bytes(b"x")
        without = Artifacts(store.backend, FormatRegistry(builtin_formats()))
        for value in (*COMMON, tmp_path / "x"):
            assert store.save(value).format == without.save(value).format

    def test_09_it_is_called_and_written_as_it_says(
        self, store: Artifacts, descriptor: ArtifactFormat
    ) -> None:
        """The class has the name that the plugin offers; the files' ending is one."""
        live = store.formats.named(self.format)
        assert live.name == descriptor.name
        assert SUFFIX.fullmatch(live.suffix), f"suffix {live.suffix!r}: write it as '.txt'"

    def test_10_nothing_is_imported_to_find_it(self, descriptor: ArtifactFormat) -> None:
        """Neither loading the plugin nor asking the format imports what the plugin depends on."""
        plugin = next(p for p in plugins.load().loaded if descriptor in p.formats)
        assert imported_for(plugin.distribution.name, _FINDING, self.format) == []

    # Files

    def test_11_a_file_that_was_cut_short_is_an_error(
        self, store: Artifacts, tmp_path: Path
    ) -> None:
        """Never another value, wherever it was cut."""
        for number, value in enumerate(self.values()):
            ref = store.save(value)
            data = store.path(ref.digest).read_bytes()
            for length in sorted({0, 1, len(data) // 2, len(data) - 1}):
                self._refuses(store, data[:length], tmp_path / f"{number}-{length}", value)

    def test_12_a_file_of_another_format_is_an_error(
        self, store: Artifacts, tmp_path: Path
    ) -> None:
        """Its bytes begin with something that no other format writes."""
        foreign = {
            "zeros": bytes(1000), "text": b"a,b\n1,2\n", "next": b"next/1\n",
            "bytes": bytes(range(256)) * 8, "json": b'{"a": [1, 2]}\n',
        }  # fmt: skip
        if self.format != "plain":
            foreign["plain"] = store.path(store.save([1, "a"]).digest).read_bytes()
        for name, data in foreign.items():
            self._refuses(store, data, tmp_path / name)

    def test_13_a_file_that_was_changed_is_not_read(self, tmp_path: Path) -> None:
        """The store sees it by the digest, whatever the format."""
        for value in self.values():
            store = opened(tmp_path)
            ref = store.save(value)
            path = store.path(ref.digest)
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.chmod(0o600)
            path.write_bytes(data)
            with pytest.raises(DigestMismatch):
                opened(tmp_path).load(ref)

    def test_14_reading_runs_no_code(self, store: Artifacts, tmp_path: Path) -> None:
        """Unless the format says ``runs_code``: then a stack may refuse it (``pickle: forbid``)."""
        refs = [store.save(value) for value in self.values()]
        if store.formats.named(self.format).runs_code:
            careful = opened(tmp_path, pickle_allowed=False)
            with pytest.raises(StoreError, match="pickle: forbid"):
                careful.load(refs[0])
            return
        said = [[r.digest, r.format, r.size] for r in refs]
        assert elsewhere(type(self), runs_code, str(tmp_path), said) == [[]]

    # At work

    def test_15_in_a_pipeline(self, store: Artifacts, tmp_path: Path) -> None:
        """Steps make values, others get and change them; what is made again is known again."""
        code = store.formats.named(self.format).runs_code
        project = tmp_path / "project"
        [seen] = elsewhere(type(self), run_in_pipeline, str(project), "allow" if code else "forbid")
        assert seen["first"] == {"make": "succeeded", "use": "succeeded", "again": "succeeded"}
        assert seen["second"] == {"make": "succeeded", "use": "cached", "again": "cached"}
        assert seen["formats"] == [self.format] * len(self.values())

    def _refuses(self, store: Artifacts, data: bytes, path: Path, right: Any = None) -> None:
        """Check that ``data``, stored as if this format had written them, are not read wrongly."""
        path.write_bytes(data)
        ref = ArtifactRef(store.keep_file(path), self.format, "", len(data))
        try:
            value = store.load(ref)
        except StoreError:
            return
        if right is not None and self.same(value, right):
            return  # nothing of the value was cut off
        shown = f"{type(value).__name__} {value!r}"[:200]
        pytest.fail(f"read {path.name} ({len(data)} bytes, {data[:40]!r}...) as {shown}")


def opened(folder: Path, *, pickle_allowed: bool = True) -> Artifacts:
    """A store in ``folder`` as a new process opens it, with the formats of all plugins."""
    return open_store(
        folder / "store",
        cache_dir=folder / "cache",
        pickle_allowed=pickle_allowed,
        formats=plugins.load().formats(),
    ).artifacts
