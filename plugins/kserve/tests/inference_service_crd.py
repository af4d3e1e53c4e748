"""KServe's real CRD, to hold InferenceServices against."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft7Validator

ROOT = Path(__file__).parents[3]
# config/crd/full/serving.kserve.io_inferenceservices.yaml of KServe, which is not ours to ship.
CRD = Path(
    os.environ.get("STACKYARD_TEST_KSERVE_CRD")
    or ROOT.parent / "shared" / "kserve" / "inferenceservices-crd.yaml.gz"
)

Schema = Callable[[dict[str, Any]], list[str]]


def read() -> Schema:
    """Return what gives all that the CRD finds wrong with an InferenceService."""
    with gzip.open(CRD) as file:
        crd = yaml.load(file, Loader=yaml.CSafeLoader)
    versions = {one["name"]: one for one in crd["spec"]["versions"]}
    validator = Draft7Validator(_strict(versions["v1beta1"]["schema"]["openAPIV3Schema"]))

    def wrong(body: dict[str, Any]) -> list[str]:
        found = validator.iter_errors(body)
        return [f"{'.'.join(map(str, one.absolute_path))}: {one.message}" for one in found]

    return wrong


def _strict(node: Any) -> Any:
    """OpenAPI as Kubernetes means it, as JSON Schema: closed objects, quantities."""
    if isinstance(node, list):
        return [_strict(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {key: _strict(value) for key, value in node.items() if key != "format"}
    if made.get("x-kubernetes-int-or-string"):
        text = {key: made.pop(key) for key in ("pattern",) if key in made}
        made["anyOf"] = [{"type": "integer"}, {"type": "string", **text}]
    open_ended = made.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in made
    if isinstance(made.get("properties"), dict) and made.get("type") == "object" and not open_ended:
        made["additionalProperties"] = False
    return made
