"""The JSON Schema of stack files: generated, up to date, and of one mind with the loader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from stackyard import plugins
from stackyard.stack_schema import stack_schema

ROOT = Path(__file__).parents[2]
FILE = ROOT / "stacks" / "stack.schema.json"


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = stack_schema(plugins.load())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_committed_schema_is_up_to_date() -> None:
    fresh = json.dumps(stack_schema(plugins.load()), indent=2) + "\n"
    assert FILE.read_text(encoding="utf-8") == fresh, (
        "write it anew: stackyard stack schema --out stacks/stack.schema.json"
    )


@pytest.mark.parametrize("name", ["_base", "local", "dev", "staging", "prod"])
def test_the_projects_stacks_follow_it(validator: Any, name: str) -> None:
    path = ROOT / "stacks" / f"{name}.yaml"
    validator.validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    assert path.read_text().startswith("# yaml-language-server: $schema=stack.schema.json\n")


@pytest.mark.parametrize(
    "text",
    [
        "extends: _base\ncomponents: {orchestrator: {workers: 3}}",
        "components: {orchestrator: {flavor: local, workers: '${env:WORKERS}'}}",
        "components: {orchestrator: {flavor: local, workers: null, parallel: '${var:p}'}}",
        "components: {tracker: {flavor: mlflow, serve: null, tracking_uri: null}}",
        "components: {tracker: null, feature_store.inhouse: {flavor: feast, path: x}}",
        "resources: {warehouse: {class: 'a.b:C.D', dsn: '${secret:X}'}}",
        "pipelines: {p: {schedule: null, params: {x: [1]}, airflow: {owner: ml}, steps: {a: "
        "{retries: 2, timeout: 2h, cache: 1d, retry_delay: 1.5, resources: {cpu: 2}}}}}",
        "vars: {a: {b: [1]}}\nstore: s3://${env:B}\ndurable: true\npickle: forbid",
    ],
)
def test_it_takes_what_the_loader_takes(validator: Any, text: str) -> None:
    assert list(validator.iter_errors(yaml.safe_load(text))) == []


@pytest.mark.parametrize(
    "text",
    [
        "componets: {}",
        "components: {traker: {flavor: x}}",
        "components: {orchestrator: {flavor: local, wrkers: 3}}",
        "components: {orchestrator: {flavor: local, workers: many}}",
        "components: {orchestrator: {flavor: local, parallel: sometimes}}",
        "components: {orchestrator: {flavor: locl}}",
        "components: {tracker: {flavor: mlflow, token: hunter2}}",
        "components: {'tracker.../x': {flavor: mlflow}}",
        "resources: {warehouse: {class: C}}",
        "pipelines: {p: {steps: {a: {retry: 2}}}}",
        "pipelines: {p: {schedule: 3}}",
        "pipelines: {'../p': {}}",
        "extends: ../x",
        "durable: 'yes'",
    ],
)
def test_it_refuses_what_the_loader_refuses(validator: Any, text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(yaml.safe_load(text))


def test_keys_carry_what_their_docstrings_say() -> None:
    local = stack_schema(plugins.load())["$defs"]["orchestrator.local"]
    assert local["properties"]["workers"] == {
        "anyOf": [
            {"type": "integer"},
            {"type": "string", "pattern": r"\$\{(env|var):"},
            {"type": "null"},
        ],
        "description": "processes at the same time; one per CPU if left out.",
    }
    assert local["properties"]["parallel"]["default"] == "auto"
