"""References are understood at load and looked up at use."""

from __future__ import annotations

import pytest

from stackyard.components.base import Secret, redact
from stackyard.errors import ConfigError, SecretError
from stackyard.references import Template, expand, resolve, unset
from stackyard.tree import Node
from stackyard.yaml_source import parse


def expanded(text: str, variables: str = "") -> Node:
    return expand(parse(text, "s.yaml"), parse(variables, "s.yaml").value)


def found(text: str, variables: str = "", environ: dict[str, str] | None = None) -> object:
    node = expanded(f"key: {text}\n", variables)
    return resolve(node, lambda name: f"<{name}>", environ or {})["key"]


def test_environment_variables_are_looked_up_at_use() -> None:
    assert found("${env:HOST}", environ={"HOST": "h"}) == "h"
    assert found("http://${env:HOST}:${env:PORT:-80}/", environ={"HOST": "h"}) == "http://h:80/"
    assert found("'${env:X:-}'") == ""
    assert found("${env:X:-a:-b}") == "a:-b"
    assert found("${env:X:-d}", environ={"X": ""}) == "d", "as in a shell, ':-' replaces empty"
    with pytest.raises(SecretError, match=r"^s\.yaml:1:6 environment variable HOST is not set"):
        found("${env:HOST}")


def test_literal_text_is_written_with_two_dollars() -> None:
    assert found("a$${env:X}b") == "a${env:X}b"
    assert found("'$5 {x} $x'") == "$5 {x} $x"
    assert str(Template(("${", "x"))) == "$${x"


def test_variables_take_any_value() -> None:
    assert found("${var:n}", "n: 3") == 3
    assert found("${var:list}", "list: [1, '${var:n}']\nn: 3") == [1, 3]
    assert found("port ${var:n}", "n: 3") == "port 3"
    assert found("${var:on}!", "on: true") == "true!"
    assert found("${var:url}", "url: 'http://${env:H}'", {"H": "h"}) == "http://h"
    assert found("<${var:url}>", "url: 'http://${env:H}'", {"H": "h"}) == "<http://h>"
    node = expanded("a: ${var:m}", "m: {x: 1}")
    assert str(node.items()["a"].place) == "s.yaml:1:4", "a use stands where it is written"


@pytest.mark.parametrize(
    ("text", "variables", "says"),
    [
        ("${env:X", "", "is not closed"),
        ("${HOME}", "", "names no kind. Write ${env:HOME}, ${secret:HOME} or ${var:HOME}"),
        ("${envv:X}", "", "unknown kind 'envv'. Kinds: env, secret, var. Did you mean 'env'?"),
        ("${env:}", "", "'' is not a usable name"),
        ("${env:A B}", "", "'A B' is not a usable name"),
        ("${secret:../x}", "", "'../x' is not a usable name"),
        ("${secret:X:-hunter2}", "", "cannot have a default"),
        ("${var:nme}", "name: x", "unknown variable 'nme'. In vars: name. Did you mean 'name'?"),
        ("${var:a}", "a: '${var:b}'\nb: '${var:a}'", "defined by itself: a -> b -> a"),
        ("x${var:m}", "m: {a: 1}", "${var:m} is a mapping and cannot be part of text"),
        ("x${var:m}", "m: null", "${var:m} is null and cannot be part of text"),
    ],
)
def test_wrong_references_are_refused_at_load(text: str, variables: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        expanded(f"key: '{text}'\n", variables)
    assert str(caught.value).startswith("s.yaml:") and says in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_variables_that_double_themselves_are_stopped() -> None:
    lines = ["v0: xxxxxxxxxx"]
    lines += [f"v{n}: '${{var:v{n - 1}}}${{var:v{n - 1}}}'" for n in range(1, 40)]
    with pytest.raises(ConfigError, match="expand to more than"):
        expanded("a: ${var:v39}", "\n".join(lines))


def test_secrets_are_revealed_only_when_asked_for() -> None:
    value = found("postgres://u:${secret:DB_PASSWORD}@h", environ={})
    assert isinstance(value, Secret)
    assert str(value) == "postgres://u:${secret:DB_PASSWORD}@h"
    assert "<DB_PASSWORD>" not in repr(value)
    assert value.reveal() == "postgres://u:<DB_PASSWORD>@h"
    # Both the whole and the part are hidden from then on.
    assert redact("at postgres://u:<DB_PASSWORD>@h") == "at ***"
    assert redact("password=<DB_PASSWORD>") == "password=***"


def test_a_missing_secret_names_the_place() -> None:
    def nowhere(name: str) -> str:
        raise SecretError(f"secret {name!r} is not set")

    value = resolve(expanded("a: 1\nb: ${secret:X}"), nowhere)["b"]
    with pytest.raises(SecretError, match=r"^s\.yaml:2:4 secret 'X' is not set$"):
        value.reveal()


def test_what_is_not_set_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IS_SET", "1")
    monkeypatch.delenv("NOT_SET", raising=False)
    node = expanded("a: ${env:IS_SET}${env:NOT_SET}\nb: [ '${secret:S}', '${env:N:-d}' ]")
    listed = [(str(place), r.name) for place, r in unset(node, lambda name: False)]
    assert listed == [("s.yaml:1:4", "NOT_SET"), ("s.yaml:2:6", "S")]
    assert [r.name for _, r in unset(node, lambda name: True)] == ["NOT_SET"]
