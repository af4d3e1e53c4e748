"""InferenceServices as plain data: what is applied to the cluster, or rendered for GitOps.

https://kserve.github.io/website/docs/reference/crd-api
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from stackyard.components.registry import ModelPackage
from stackyard.errors import InvalidInput
from stackyard_kserve.config import KServeConfig

API_VERSION, KIND = "serving.kserve.io/v1beta1", "InferenceService"
MLFLOW = "mlflow"  # the one format of Stackyard's that KServe has a runtime for
CONTAINER = "kserve-container"  # the name by which KServe knows the container with the model
MODELS = "/mnt/models"  # where KServe's storage initializer puts the model
MANAGED = {"app.kubernetes.io/managed-by": "stackyard"}
# Annotations of ours. KServe copies annotations into the revision that Knative makes, so that a
# change of one makes a new revision: they change only together with the model.
VERSION, DIGEST = "stackyard/version", "stackyard/digest"
BEFORE, BEFORE_DIGEST = "stackyard/before", "stackyard/before-digest"  # the champion beside it
BASE = "stackyard/base-revision"  # the newest revision when the model was applied
APPLIED = "stackyard/applied"  # a digest of what Stackyard said of the predictor

# Of 63 characters of a host name's part, KServe and Knative use "latest-" and "-predictor".
NAME_LENGTH = 63 - len("latest-") - len("-predictor")
# https://github.com/kserve/kserve/blob/master/pkg/controller/v1beta1/inferenceservice/utils/utils.go
SCHEMES = (
    "gs", "s3", "pvc", "file", "https", "http", "hdfs", "webhdfs", "oci", "oci+native", "oci+fetch",
    "hf",
)  # fmt: skip
# The CRD allows any of these; a webhook of KServe, which a cluster may lack, refuses two.
_IMPLEMENTATIONS = (
    "model", "containers", "sklearn", "xgboost", "tensorflow", "pytorch", "triton", "onnx",
    "huggingface", "pmml", "lightgbm", "paddle",
)  # fmt: skip


def predictor(
    config: KServeConfig, package: ModelPackage, uri: str, name: str, version: str
) -> dict[str, Any]:
    """What runs a model: the part of ``spec.predictor`` that is Stackyard's to say.

    Args:
        config: What the stack says.
        package: The model.
        uri: Where the cluster reads it.
        name: The endpoint, by which requests name the model.
        version: The model's version, for the answers of a server that tells it.

    Raises:
        InvalidInput: neither KServe nor ``images`` has a server for the package's format.
    """
    limits = {"requests": dict(config.resources), "limits": dict(config.resources)}
    made: dict[str, Any] = {"minReplicas": config.min_replicas, "maxReplicas": config.max_replicas}
    if config.service_account is not None:
        made["serviceAccountName"] = config.service_account
    if package.format in config.images:
        container: dict[str, Any] = {
            "name": CONTAINER,
            "image": config.images[package.format],
            # As KServe starts its own servers.
            "args": [f"--model_name={name}", f"--model_dir={MODELS}", "--http_port=8080"],
            "env": [
                {"name": "STORAGE_URI", "value": uri},
                {"name": "PROTOCOL", "value": "v2"},
                {"name": "STACKYARD_VERSION", "value": version},
                {"name": "STACKYARD_DIGEST", "value": package.digest},
                {"name": "STACKYARD_HOST", "value": "0.0.0.0"},  # of the pod
            ],
        }
        made["containers"] = [container | ({"resources": limits} if config.resources else {})]
        return made
    if package.format != MLFLOW:
        raise InvalidInput(
            f"KServe has no server for models of format {package.format!r}. Formats: "
            f"{', '.join([MLFLOW, *config.images])}. For another one name an image: "
            f"images: {{{package.format}: registry.example/server:1}}"
        )
    model: dict[str, Any] = {
        "modelFormat": {"name": MLFLOW},
        "protocolVersion": "v2",
        "storageUri": uri,
    }
    if config.runtime is not None:
        model["runtime"] = config.runtime
    made["model"] = model | ({"resources": limits} if config.resources else {})
    return made


def inference_service(
    config: KServeConfig, name: str, spec: Mapping[str, Any], facts: Mapping[str, str]
) -> dict[str, Any]:
    """An InferenceService whose one predictor is ``spec``, with ``facts`` as annotations."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": name,
            "namespace": config.namespace,
            "labels": dict(MANAGED),
            "annotations": {
                APPLIED: said(spec),
                # Only this mode of KServe's has revisions and canaryTrafficPercent.
                "serving.kserve.io/deploymentMode": "Knative",
                # Gives each revision an address of its own.
                "serving.kserve.io/enable-tag-routing": "true",
                **facts,
            },
        },
        "spec": {"predictor": dict(spec)},
    }


def said(spec: Mapping[str, Any]) -> str:
    """A digest of what Stackyard says of a predictor; the cluster and others add to it."""
    return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:16]


def checked(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return an InferenceService if it holds to what KServe's CRD leaves out.

    Raises:
        InvalidInput: it does not; names all that is wrong and where.
    """
    name, spec = manifest["metadata"]["name"], manifest["spec"]["predictor"]
    wrong = []
    if len(name) > NAME_LENGTH:
        wrong.append(
            f"metadata.name: {len(name)} characters; KServe makes host names of it, which leaves "
            f"room for {NAME_LENGTH}"
        )
    if given := [key for key in _IMPLEMENTATIONS if spec.get(key)]:
        if len(given) > 1:
            wrong.append(f"spec.predictor: {' and '.join(given)}: only one may say what runs")
    else:
        wrong.append("spec.predictor: nothing says what runs; give model or containers")
    percent = spec.get("canaryTrafficPercent", 0)
    if isinstance(percent, bool) or not isinstance(percent, int) or not 0 <= percent <= 100:
        wrong.append(f"spec.predictor.canaryTrafficPercent: {percent!r}; percents are 0 to 100")
    wrong += [f"spec.predictor.{text}" for text in _model(spec) + _containers(spec)]
    if wrong:
        raise InvalidInput(f"InferenceService {name!r}: {'; '.join(wrong)}")
    return manifest


def _model(spec: Mapping[str, Any]) -> list[str]:
    model = spec.get("model")
    if not model:
        return []
    wrong = []
    if not model.get("modelFormat", {}).get("name"):
        wrong.append("model.modelFormat.name: missing; without it KServe finds no runtime")
    return wrong + _address("model.storageUri", model.get("storageUri"))


def _containers(spec: Mapping[str, Any]) -> list[str]:
    wrong = []
    containers = spec.get("containers") or []
    if containers and CONTAINER not in [one.get("name") for one in containers]:
        wrong.append(f"containers: none is called {CONTAINER!r}, by which KServe knows the model's")
    for place, one in enumerate(containers):
        if not one.get("image"):
            wrong.append(f"containers[{place}].image: missing")
        for entry in one.get("env", []):
            if entry["name"] == "STORAGE_URI":
                wrong += _address(f"containers[{place}].env.STORAGE_URI", entry.get("value"))
    return wrong


def _address(where: str, uri: str | None) -> list[str]:
    scheme, found, _ = (uri or "").partition("://")
    if found and scheme in SCHEMES:
        return []
    known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
    return [f"{where}: KServe cannot read {uri!r}. It reads {known}"]
