"""KServe's model server for one package, as a program of its own.

    STACKYARD_VERSION=3 STACKYARD_DIGEST=... python -m stackyard_kserve.model_server \
        --model_name=flight-delays --model_dir=/mnt/models --http_port=8080

It runs where KServe's SDK is: in an environment that the local server makes, or in an image of
yours. There it needs of Stackyard's dependencies only blake3. It answers the protocols V1 and V2,
and reads nothing of the model before its digest was verified.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackyard.components.registry import Field, ModelPackage, Signature
from stackyard.errors import InvalidInput, StackyardError
from stackyard.inference import answer
from stackyard_kserve.limit import Limit

LARGEST = 8 * 1024 * 1024  # bytes of a request, unless STACKYARD_MAX_REQUEST says another number


@dataclass(frozen=True)
class Served:
    """A model that was read, and what it is called."""

    model: Any
    signature: Signature
    name: str
    version: str

    def answer(self, request: Any) -> dict[str, Any]:
        """Answer a V2 request.

        Raises:
            InvalidInput: the signature or the model refuses it.
        """
        return answer(
            self.model, self.signature, request,
            name=self.name, version=self.version, id=str(uuid.uuid4()),
        )  # fmt: skip

    def predictions(self, request: Any) -> dict[str, Any]:
        """Answer a V1 request: ``{"instances": [{"hour": 5, ...}, ...]}``, or lists of values.

        https://kserve.github.io/website/docs/concepts/architecture/data-plane/v1-protocol

        Raises:
            InvalidInput: the signature or the model refuses it.
        """
        if isinstance(request, bytes):  # sent as anything but JSON, as curl does by itself
            try:
                request = json.loads(request)
            except ValueError as exc:
                raise InvalidInput(f"request: it is no JSON ({exc})") from exc
        given = self.answer({"inputs": _tensors(request, self.signature)})
        first = given["outputs"][0]
        return {"predictions": _rows(first["data"], first["shape"])}


def read(folder: Path, name: str, version: str, digest: str) -> Served:
    """Read a package of format ``sklearn-skops``, after its digest was verified.

    Raises:
        DigestMismatch: the folder is not what the digest says.
        InvalidInput: it has no signature.
    """
    from stackyard.models import SIGNATURE, SKLEARN, load_model, read_signature

    model = load_model(ModelPackage(SKLEARN, str(folder), digest))
    signature = read_signature(folder)
    if signature is None:
        raise InvalidInput(f"model package {folder}: it has no {SIGNATURE}")
    return Served(model, signature, name, version)


def serve(served: Served, host: str, port: int, largest: int) -> None:
    """Answer requests of up to ``largest`` bytes until asked to end."""
    sys.argv[1:] = ["--configure_logging=false"]  # KServe reads them when it is imported
    import kserve
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import JSONResponse
    from kserve import model_server
    from kserve.errors import InferenceError, ModelNotFound
    from kserve.errors import InvalidInput as Refused
    from kserve.protocol.infer_type import InferRequest
    from kserve.protocol.model_repository_extension import ModelRepositoryExtension

    class Fixed(ModelRepositoryExtension):  # type: ignore[misc]
        """Else whoever reaches the server, a page in a browser too, could unload the model."""

        async def load(self, model_name: str) -> None:
            raise NotImplementedError("the model is the one that was deployed")

        unload = load

    class Bound(model_server.RESTServer):  # type: ignore[misc]
        """KServe listens on all interfaces and has no word for fewer."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.config.host = host
            self.model_repository_extension = Fixed(self.dataplane.model_registry)
            decode = self.dataplane.decode_inference_request

            def decoded(*given: Any) -> Any:
                """Of a request in the binary form KServe takes for granted that it is one."""
                try:
                    return decode(*given)
                except Refused:
                    raise
                except (ValueError, TypeError, LookupError, AttributeError) as exc:
                    text = f"request: it is none in the binary form: {type(exc).__name__}: {exc}"
                    raise Refused(text) from exc

            self.dataplane.decode_inference_request = decoded

    class Model(kserve.Model):  # type: ignore[misc]
        """The model in KServe's words."""

        def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> Any:
            try:
                if isinstance(payload, InferRequest):
                    return served.answer(_document(payload))
                return served.predictions(payload)
            except InvalidInput as exc:
                raise Refused(str(exc)) from exc
            except Exception as exc:  # of the model; anything else would end the connection
                raise InferenceError(f"{type(exc).__name__}: {exc}") from exc

        def get_input_types(self) -> list[dict[str, Any]]:
            return [_tensor(field) for field in served.signature.inputs]

        def get_output_types(self) -> list[dict[str, Any]]:
            return [_tensor(field) for field in served.signature.outputs]

    async def no_request(_: Any, exc: RequestValidationError) -> JSONResponse:
        return JSONResponse({"error": f"request: {_faults(exc.errors())}"}, status_code=400)

    model_server.RESTServer = Bound
    model_server.app.add_exception_handler(RequestValidationError, no_request)
    model_server.app.add_middleware(Limit, largest=largest)
    _quiet(Refused, ModelNotFound, NotImplementedError)
    model = Model(served.name)
    model.load()
    server = kserve.ModelServer(
        http_port=port, workers=1, enable_grpc=False, enable_latency_logging=False
    )
    server.start([model])


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the model and serve it; a model that cannot be read is told in one line."""
    parser = argparse.ArgumentParser(prog="stackyard_kserve.model_server", allow_abbrev=False)
    parser.add_argument("--model_name", required=True)
    parser.add_argument("--model_dir", type=Path, required=True)
    parser.add_argument("--http_port", type=int, default=8080)
    args = parser.parse_args(arguments)
    try:
        version, digest = (os.environ[f"STACKYARD_{key}"] for key in ("VERSION", "DIGEST"))
        served = read(args.model_dir, args.model_name, version, digest)
    except KeyError as exc:
        print(f"{exc.args[0]} is not set", file=sys.stderr)
        return 2
    except StackyardError as exc:
        print(exc, file=sys.stderr)
        return 1
    except Exception as exc:  # whatever reading a file that is no model raises
        print(f"model {args.model_dir}: {type(exc).__name__}: {exc}", file=sys.stderr)
        return 1
    host = os.environ.get("STACKYARD_HOST", "127.0.0.1")
    serve(served, host, args.http_port, int(os.environ.get("STACKYARD_MAX_REQUEST", LARGEST)))
    return 0


def _document(request: Any) -> dict[str, Any]:
    """A V2 request as it came; KServe has made objects of it."""
    made: dict[str, Any] = {
        "inputs": [
            {"name": one.name, "shape": one.shape, "datatype": one.datatype, "data": one.data}
            for one in request.inputs
        ]
    }
    if request.id is not None:
        made["id"] = request.id
    if request.request_outputs:
        made["outputs"] = [{"name": one.name} for one in request.request_outputs]
    return made


def _faults(errors: Sequence[Any]) -> str:
    """What is no request by KServe's own reading, which also tries it as bytes."""
    places = [(error["loc"][1:], error["msg"]) for error in errors]
    told = [
        ".".join(str(part) for part in place if part != "InferenceRequest") + f": {message}"
        for place, message in places
        if "bytes" not in place
    ]
    return "; ".join(one.removeprefix(": ") for one in told[:5])


def _tensor(field: Field) -> dict[str, Any]:
    return {"name": field.name, "datatype": field.datatype, "shape": list(field.shape)}


def _tensors(request: Any, signature: Signature) -> list[dict[str, Any]]:
    """The instances of a V1 request as tensors of the signature's types."""
    instances = request.get("instances") if isinstance(request, Mapping) else None
    if not isinstance(instances, list) or not instances:
        raise InvalidInput('request: write {"instances": [...]}, with one entry for each row')
    fields, count = signature.inputs, len(instances)
    if len(fields) == 1 and len(fields[0].shape) > 1:
        shape = [count, *fields[0].shape[1:]]
        return [_tensor(fields[0]) | {"shape": shape, "data": instances}]
    names = [field.name for field in fields]
    rows = [_row(index, one, names) for index, one in enumerate(instances)]
    return [
        _tensor(field) | {"shape": [count], "data": [row[place] for row in rows]}
        for place, field in enumerate(fields)
    ]


def _row(index: int, instance: Any, names: list[str]) -> list[Any]:
    """The values of an instance in the signature's order."""
    if isinstance(instance, list) and len(instance) == len(names):
        return instance
    if not isinstance(instance, Mapping):
        raise InvalidInput(
            f"request: instances[{index}] is neither an object nor a list of {len(names)} values: "
            f"{', '.join(names)}"
        )
    missing = [name for name in names if name not in instance]
    unknown = [str(name) for name in instance if name not in names]
    if missing or unknown:
        faults = [f"{text}: {', '.join(of)}" for text, of in (("missing", missing),
                  ("unknown", unknown)) if of]  # fmt: skip
        raise InvalidInput(f"request: instances[{index}]: {'; '.join(faults)}")
    return [instance[name] for name in names]


def _rows(data: list[Any], shape: list[int]) -> list[Any]:
    """Flat values by row."""
    if len(shape) == 1:
        return data
    width = len(data) // shape[0]
    return [data[start : start + width] for start in range(0, len(data), width)]


def _quiet(*refused: type[Exception]) -> None:
    """A line in the log for what is wrong with the server, none for requests that are refused."""
    import logging

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("kserve").addFilter(
        lambda record: not (record.exc_info and isinstance(record.exc_info[1], refused))
    )


if __name__ == "__main__":
    sys.exit(main())
