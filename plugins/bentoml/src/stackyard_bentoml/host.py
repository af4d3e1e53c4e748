"""A model in a process: read from its package, and asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stackyard.components.registry import ModelPackage
from stackyard.components.server import signature_of
from stackyard.errors import InvalidInput
from stackyard.inference import answer
from stackyard.models import load_model
from stackyard_bentoml.state import package_of

FACTS = "stackyard.json"  # in the folder of a model of BentoML's store, beside the package
PACKAGE = "package"


class Hosted:
    """One version of a model, ready to answer."""

    def __init__(self, package: ModelPackage, name: str, version: str) -> None:
        """Read the model, after its digest was checked."""
        self.name = name
        self.version = version
        self.signature = signature_of(package)
        self._model = load_model(package)

    def infer(self, body: bytes, id: str) -> bytes:
        """Answer a request.

        Args:
            body: The request as it came.
            id: The answer's id where the request has none.

        Raises:
            InvalidInput: it is no JSON, or the model does not take it; says why.
        """
        import msgspec

        try:
            request = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise InvalidInput(f"request: it is no JSON: {exc}") from exc
        given = answer(
            self._model, self.signature, request, name=self.name, version=self.version, id=id
        )
        return msgspec.json.encode(given)

    def metadata(self) -> dict[str, Any]:
        """What the model takes and gives, as the protocol tells it."""
        signature = self.signature
        return {
            "name": self.name,
            "versions": [self.version],
            "platform": "stackyard",
            "inputs": [_told(field) for field in signature.inputs],
            "outputs": [_told(field) for field in signature.outputs],
        }


def open_stored(folder: Path) -> Hosted:
    """The model in a folder of BentoML's model store."""
    facts = json.loads((folder / FACTS).read_bytes())
    package = package_of({**facts["package"], "uri": str(folder / PACKAGE)})
    return Hosted(package, facts["name"], facts["version"])


def _told(field: Any) -> dict[str, Any]:
    return {"name": field.name, "datatype": field.datatype, "shape": list(field.shape)}
