"""YAML is read as plain data with places; all else is refused in one line that names the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackyard.errors import ConfigError
from stackyard.tree import Node
from stackyard.yaml_source import MAX_BYTES, MAX_DEPTH, parse, read


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, "stacks/s.yaml")
    message = str(caught.value)
    assert "\n" not in message
    return message


def node(tree: Node, *route: str | int) -> Node:
    found = tree.at(route)
    assert found is not None
    return found


def test_every_key_and_value_knows_its_place() -> None:
    tree = parse("a: 1\nb:\n  c: [x, {d: true}]\n", "stacks/s.yaml")
    assert tree.plain() == {"a": 1, "b": {"c": ["x", {"d": True}]}}
    assert str(node(tree, "a").place) == "stacks/s.yaml:1:4"
    assert str(node(tree, "a").key) == "stacks/s.yaml:1:1"
    assert str(node(tree, "b", "c", 1, "d").place) == "stacks/s.yaml:3:14"
    assert str(node(tree, "b", "c", 1, "d").key) == "stacks/s.yaml:3:11"
    assert tree.at(("b", "nothing", "there")) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("-7", -7), ("0o17", 15), ("0xff", 255), ("017", 17), ("1.5", 1.5), (".5", 0.5),
        ("1e3", 1000.0), ("true", True), ("False", False), ("null", None), ("~", None), ("", None),
        # What YAML 1.1 would make something else of is text:
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("NO", "NO"), ("12:30", "12:30"),
        ("2013-01-01", "2013-01-01"), ("1_000", "1_000"), (".inf", ".inf"), (".nan", ".nan"),
        ("'1'", "1"), ('"true"', "true"), ("20m", "20m"), ("1e999", "1e999"),
        ("${env:X:-a}", "${env:X:-a}"),
    ],
)  # fmt: skip
def test_words_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    got = parse(f"key: {text}\n", "s").plain()["key"]
    assert got == value and type(got) is type(value)


def test_empty_files_are_empty_mappings() -> None:
    assert parse("", "s").plain() == {}
    assert parse("# only a comment\n", "s").plain() == {}


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("a: [1,\nb: 2\n", ":3:1", "flow sequence that begins in line 1"),
        ("a: 'x\n", ":2:1", "quoted scalar"),
        ("a: b: c\n", ":1:5", "mapping values"),
        ("a:\n\tb: 1\n", ":2:1", "indent YAML with spaces"),
        ("a: 1\na: 2\n", ":2:1", "key 'a' stands twice, first in line 1"),
        ("a: {b: 1, 'b': 2}\n", ":1:11", "stands twice"),
        ("x: !!python/object/apply:os.system ['touch pwned']\n", ":1:4", "!!python/object/apply"),
        ("x: !mine 1\n", ":1:4", "tag '!mine'"),
        ('x: !!int "5"\n', ":1:4", "tag '!!int'"),
        ("!!map {a: 1}\n", ":1:1", "tag '!!map'"),
        ("%TAG ! tag:x,2000:\n---\na: 1\n", ":1:1", "%TAG"),
        ("a: 1\n---\nb: 2\n", ":2:1", "second document"),
        ("- 1\n- 2\n", ":1:1", "a list, not a mapping"),
        ("just text\n", ":1:1", "text, not a mapping"),
        ("base: &b {x: 1}\nmore:\n  <<: *b\n", ":3:3", "merge keys"),
        ("1: x\n", ":1:1", "write it in quotes"),
        ("null: x\n", ":1:1", "write it in quotes"),
        ("? [a, b]\n: x\n", ":1:3", "a key must be text"),
        ("a: &x\n  b: *x\n", ":2:6", "refers to what it stands in"),
        ("a: *nowhere\n", ":1:4", "no anchor"),
        ("a: &x b\n*x : c\n", ":2:1", "cannot be a key"),
        ("a: \x07\n", ":1:4", "character '\\x07' may not stand in YAML"),
        ("é: 1\nb: [x\ufffe]\nc: \ufffe\n", ":2:6", "may not stand in YAML"),
        ("a: " + "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), f":1:{MAX_DEPTH + 3}", "deeper"),
    ],
)
def test_all_but_plain_data_is_refused(text: str, place: str, says: str) -> None:
    message = refused(text)
    assert message.startswith(f"stacks/s.yaml{place} "), message
    assert says in message


def test_a_few_aliases_are_fine_and_a_bomb_is_not() -> None:
    tree = parse("a: &a {x: [1, 2]}\nb: *a\nc: *a\n", "s")
    assert tree.plain()["c"] == {"x": [1, 2]}
    assert str(node(tree, "c").key) == "s:3:1"
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    message = refused("\n".join(lines))
    assert message.startswith("stacks/s.yaml:5:") and "aliases counted as often as used" in message


def test_files_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(ConfigError, match=r"^stacks/s\.yaml:2:4 the file is not UTF-8"):
        read(path, "stacks/s.yaml")
    path.write_bytes(b"a: " + b"x" * MAX_BYTES)
    with pytest.raises(ConfigError, match="larger than 1000 kB"):
        read(path, "stacks/s.yaml")
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read(path, "s").plain() == {"a": 1}
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path / "none.yaml", "stacks/none.yaml")
