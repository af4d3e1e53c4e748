"""The last resort, and containers whose members are stored one by one."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stackyard.errors import PluginError, StoreError
from stackyard.flavors import ArtifactFormat
from stackyard.store.artifacts import Artifacts
from stackyard.store.formats import Format, FormatRegistry, Sink, Unsuited, builtin_formats
from tests.unit.stores import file_of, opened


class Custom:
    def __init__(self, x: Any) -> None:
        self.x = x


class Fragile(Custom):
    def __setstate__(self, state: Any) -> None:
        raise KeyError("colour")


@dataclass(frozen=True)
class Holder:
    model: Custom
    scores: dict[str, float]


class UpperFormat(Format):
    """A plugin's format."""

    name = "upper"

    def write(self, value: Any, sink: Sink) -> None:
        if type(value) is not Custom:
            raise Unsuited("only Custom itself")
        sink.write(b"upper/1" + value.x.upper().encode())

    def read(self, path: Path) -> Any:
        return Custom(path.read_text().removeprefix("upper/1"))


@pytest.fixture
def store(tmp_path: Path) -> Artifacts:
    return opened(tmp_path)


def test_any_object_comes_back_and_its_versions_are_recorded(store: Artifacts) -> None:
    ref = store.save(Custom(lambda: 7))
    assert (ref.format, ref.type) == ("pickle", f"{__name__}.Custom")
    assert store.load(ref).x() == 7
    line = file_of(store, ref.digest).read_bytes().split(b"\n")[0].decode()
    assert line.startswith("stackyard-pickle/1 ")
    assert f'"python":"{sys.version.split()[0]}"' in line
    assert '"cloudpickle":"' in line


def test_what_fails_to_unpickle_says_what_it_was_written_with(
    store: Artifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cloudpickle

    ref = store.save(Fragile(1))
    monkeypatch.setattr(cloudpickle, "__version__", "99.0")
    with pytest.raises(StoreError, match=r"KeyError: 'colour'.*cloudpickle .*, here 99\.0"):
        store.load(ref)


def test_pickle_is_refused_both_ways_where_the_stack_forbids_it(tmp_path: Path) -> None:
    ref = opened(tmp_path).save(Custom(1))
    strict = opened(tmp_path, pickle_allowed=False)
    with pytest.raises(StoreError, match=r"type \S+\.Custom: .*forbid.*plain") as info:
        strict.save(Custom(1))
    assert "\n" not in str(info.value)
    with pytest.raises(StoreError, match="which this stack refuses"):
        strict.load(ref)
    with pytest.raises(StoreError, match=r"test_formats_pickle\.Custom"):
        strict.save({"deep": [Custom(1)]})
    assert strict.load(strict.save({1, 2})) == {1, 2}


def test_what_cannot_be_stored_at_all_is_one_line(store: Artifacts) -> None:
    with pytest.raises(StoreError, match=r"cannot store .*Custom.*lock.*Return data") as info:
        store.save(Custom(threading.Lock()))
    assert "\n" not in str(info.value)


def test_members_that_are_not_plain_are_stored_one_by_one(store: Artifacts) -> None:
    value = Holder(Custom("a"), {"auc": 0.5})
    ref = store.save(value)
    assert ref.format == "parts"
    back = store.load(ref)
    assert (back.model.x, back.scores) == ("a", {"auc": 0.5})
    assert store.save(back) == ref


def test_very_many_such_members_become_one_pickle(store: Artifacts) -> None:
    ref = store.save([Custom(i) for i in range(200)])
    assert ref.format == "pickle"
    assert [c.x for c in store.load(ref)] == list(range(200))


def test_a_list_that_holds_itself_is_pickled(store: Artifacts) -> None:
    value: list[Any] = [1]
    value.append(value)
    back = store.load(store.save(value))
    assert back[1] is back


def test_a_plugin_format_is_found_along_the_class_hierarchy(store: Artifacts) -> None:
    offered = ArtifactFormat("upper", (f"{__name__}.Custom",), f"{__name__}:UpperFormat")
    store.formats = FormatRegistry([*builtin_formats(), offered])
    assert store.load(store.save(Custom("abc"))).x == "ABC"
    assert store.save(Custom("abc"), hint="pickle").format == "pickle"
    assert store.save(Fragile("abc")).format == "pickle"  # its base is known, it is not


def test_two_formats_of_one_name_are_refused() -> None:
    first, *_ = builtin_formats()
    other = ArtifactFormat(first.name, ("x.Y",), "acme:Z")
    with pytest.raises(PluginError, match=r"offered twice.*acme:Z"):
        FormatRegistry([first, other])


@pytest.mark.parametrize("body", ["raise ValueError('a\\nb')", "import sys; sys.exit(3)", ""])
def test_a_format_whose_module_fails_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    name = f"failing_format_{len(body)}"
    (tmp_path / f"{name}.py").write_text(body)
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = FormatRegistry([ArtifactFormat("failing", ("x.Y",), f"{name}:Outer.Format")])
    with pytest.raises(PluginError) as error:
        registry.named("failing")
    said = str(error.value)
    assert said.startswith(f"artifact format 'failing': importing {name}:Outer.Format failed: ")
    assert "\n" not in said
