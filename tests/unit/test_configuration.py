"""Component configuration is decoded into the flavor's dataclass, each error with its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from stackyard import configuration
from stackyard.components.base import Secret
from stackyard.errors import ConfigError, SecretError
from stackyard.references import expand
from stackyard.tree import Node
from stackyard.yaml_source import parse

if TYPE_CHECKING:
    from decimal import Decimal


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Inner:
    host: str
    port: int = 1


@dataclass(frozen=True)
class Config:
    url: str
    workers: int | None = None
    rate: float = 0.5
    on: bool = False
    mode: Literal["auto", "never"] = "auto"
    token: Secret | None = None
    labels: Mapping[str, int] = field(default_factory=dict)
    hosts: Sequence[Inner] = ()
    pair: tuple[str, int] = ("a", 1)
    folder: Path | None = None
    colour: Colour = Colour.RED
    day: date | None = None
    either: int | str = 0

    def __post_init__(self) -> None:
        if self.workers == 0:
            raise ValueError("workers: 0 is not at least 1")


def node(text: str) -> Node:
    return expand(parse(text, "s.yaml"), {})


def decoded(text: str, target: Any = Config, *, literal: bool = False) -> Any:
    return configuration.decode(
        node(text), target, "tracker (acme)", lambda name: f"<{name}>", literal=literal
    )


def refused(text: str, target: Any = Config) -> str:
    """The one line with which ``text`` is refused, at check and at use alike."""
    with pytest.raises(ConfigError) as caught:
        decoded(text, target)
    assert configuration.check(node(text), target, "tracker (acme)") == [str(caught.value)]
    return str(caught.value)


def test_values_become_typed() -> None:
    made = decoded(
        "url: u\nworkers: 2\nrate: 1\non: true\nmode: never\ntoken: ${secret:T}\nlabels: {a: 1}\n"
        "hosts: [{host: h}, {host: i, port: 2}]\npair: [x, 2]\nfolder: a/b\ncolour: red\n"
        "day: 2013-01-31\neither: text\n"
    )
    token = made.token
    assert isinstance(token, Secret) and token.reveal() == "<T>"
    assert made == Config(
        url="u", workers=2, rate=1.0, on=True, mode="never", token=token, labels={"a": 1},
        hosts=[Inner("h"), Inner("i", 2)], pair=("x", 2), folder=Path("a/b"), colour=Colour.RED,
        day=date(2013, 1, 31), either="text",
    )  # fmt: skip
    assert decoded("url: u\nworkers: null\ntoken: null") == Config("u")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "s.yaml:1:1 tracker (acme): missing key 'url' (text)"),
        (
            "url: u\nwrkers: 2",
            "s.yaml:2:1 tracker (acme): unknown key 'wrkers'. Keys: url, workers, rate, on, mode, "
            "token, labels, hosts, pair, folder, colour, day, either. Did you mean 'workers'?",
        ),
        (
            "url: u\nworkers: '8'",
            "s.yaml:2:10 tracker (acme): workers: expected a whole number or null, got text '8'",
        ),
        ("url: 5", "s.yaml:1:6 tracker (acme): url: expected text, got a whole number 5"),
        ("url: null", "s.yaml:1:6 tracker (acme): url: expected text, got null"),
        ("url: [u]", "s.yaml:1:6 tracker (acme): url: expected text, got a list"),
        (
            "url: u\nworkers: true",
            "s.yaml:2:10 tracker (acme): workers: expected a whole number or null, got true",
        ),
        ("url: u\non: yes", "s.yaml:2:5 "
         "tracker (acme): on: expected true or false, got text 'yes'"),
        (
            "url: u\nmode: nver",
            "s.yaml:2:7 tracker (acme): mode: expected one of 'auto', 'never', got text 'nver'."
            " Did you mean 'never'?",
        ),
        (
            "url: u\nlabels: {a: 1, b: x}",
            "s.yaml:2:19 tracker (acme): labels.b: expected a whole number, got text 'x'",
        ),
        ("url: u\nlabels: 3", "s.yaml:2:9 tracker (acme): labels: expected a mapping, got a "
         "whole number 3"),
        (
            "url: u\nhosts:\n- host: h\n- {host: h, prt: 2}",
            "s.yaml:4:13 tracker (acme): unknown key 'hosts[1].prt'. Keys: host, port. Did you "
            "mean 'port'?",
        ),
        (
            "url: u\nhosts: [{port: 1}]",
            "s.yaml:2:9 tracker (acme): missing key 'hosts[0].host' (text)",
        ),
        ("url: u\npair: [x]", "s.yaml:2:7 tracker (acme): pair: expected 2 items"),
        ("url: u\nworkers: 0", "s.yaml:2:10 tracker (acme): workers: 0 is not at least 1"),
        ("url: u\nday: soon", "s.yaml:2:6 tracker (acme): day: Invalid RFC3339 encoded date"),
        (
            "url: u\nhosts: ${env:HOSTS}",
            "s.yaml:2:8 tracker (acme): hosts: expected a list, got text ${env:HOSTS}",
        ),
        (
            "url: ${secret:URL}",
            "s.yaml:1:6 tracker (acme): url: is not a secret and cannot take ${secret:URL}",
        ),
    ],
)  # fmt: skip
def test_wrong_keys_and_values_name_their_place(text: str, message: str) -> None:
    assert refused(text) == message


@pytest.mark.parametrize("value", ["hunter2", "5551234", "${env:TOKEN}", "[hunter2]"])
def test_a_secret_written_in_the_file_is_refused_and_not_shown(value: str) -> None:
    message = refused(f"url: u\ntoken: {value}")
    expected = "s.yaml:2:8 tracker (acme): token: holds a secret: write ${secret:NAME}"
    assert message == expected


def test_all_problems_are_listed_at_once() -> None:
    problems = configuration.check(node("wrkers: 2\nmode: x\nrate: fast"), Config, "t")
    assert [p.split(" ")[0] for p in problems] == [
        f"s.yaml:{place}" for place in ("1:1", "2:7", "3:7", "1:1")
    ]


def test_text_of_the_environment_is_converted_at_use(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "url: ${env:U}\nworkers: ${env:W}\non: ${env:ON}\nrate: ${env:R}\nmode: ${env:M}\n"
    assert configuration.check(node(text), Config, "t") == [], "nothing is known before use"
    for name, value in {"U": "8080", "W": "4", "ON": "True", "R": "2", "M": "never"}.items():
        monkeypatch.setenv(name, value)
    assert decoded(text) == Config(url="8080", workers=4, on=True, rate=2.0, mode="never")
    monkeypatch.setenv("W", "")
    assert decoded(text).workers is None
    monkeypatch.setenv("W", "hunter2")
    with pytest.raises(ConfigError) as caught:
        decoded(text)
    assert str(caught.value) == (
        "s.yaml:2:10 tracker (acme): workers: expected a whole number or null, "
        "got what ${env:W} holds"
    )
    monkeypatch.delenv("W")
    with pytest.raises(SecretError, match="environment variable W is not set"):
        decoded(text)


def test_a_literal_configuration_leaves_the_environment_out() -> None:
    made = decoded("url: u\nworkers: ${env:W}\ntoken: ${secret:T}", literal=True)
    assert made.workers is None
    assert str(made.token) == "${secret:T}"


class Plain:
    """A resource's class as users write it, without dataclass."""

    def __init__(
        self, dsn: Secret, size: int = 3, *, anything=None, exact: Decimal | None = None
    ) -> None:  # type: ignore[no-untyped-def]
        self.dsn, self.size, self.anything, self.exact = dsn, size, anything, exact


class Open:
    """Takes whatever it is given."""

    def __init__(self, name: str, **options: Any) -> None:
        self.name, self.options = name, options


def test_constructors_are_read_like_dataclasses() -> None:
    made = decoded("dsn: ${secret:D}\nanything: [1, {a: b}]\nexact: x", Plain)
    assert (made.dsn.reveal(), made.size, made.anything) == ("<D>", 3, [1, {"a": "b"}])
    assert made.exact == "x", "an annotation for type checkers only is not checked"
    assert "missing key 'dsn' (${secret:NAME})" in refused("size: 1", Plain)
    assert "size: expected a whole number" in refused("dsn: ${secret:D}\nsize: x", Plain)
    assert "unknown key 'siz'" in refused("dsn: ${secret:D}\nsiz: 1", Plain)
    assert decoded("name: n\nx: 1\ny: [2]", Open).options == {"x": 1, "y": [2]}
    assert "is not a secret" in refused("name: n\nx: ${secret:S}", Open)
