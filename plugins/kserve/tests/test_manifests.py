"""InferenceServices as plain data, held against KServe's real CRD and what it leaves out."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from inference_service_crd import Schema

from stackyard.components.base import Context
from stackyard.components.registry import Field, ModelPackage, Signature
from stackyard.errors import DigestMismatch, InvalidInput, Unavailable
from stackyard.models import folder_digest
from stackyard_kserve.config import KServeConfig
from stackyard_kserve.manifests import NAME_LENGTH, checked
from stackyard_kserve.server import KServeServer

SIGNATURE = Signature((Field("hour", "INT64"),), (Field("predict", "FP64"),))
LOGGED = ModelPackage("mlflow", "s3://acme-ml/runs/7/model", "d1", SIGNATURE)
SKOPS = ModelPackage("sklearn-skops", "s3://acme-ml/packages/7", "d2", SIGNATURE)
FULL = KServeConfig(
    namespace="models",
    service_account="reader",
    images={"sklearn-skops": "registry.example/skops:1"},
    runtime="mlserver-acme",
    resources={"cpu": "500m", "memory": "2Gi"},
    min_replicas=2,
    max_replicas=5,
)


def rendered(package: ModelPackage, config: KServeConfig = FULL) -> dict[str, Any]:
    server = KServeServer(config, Context(name="server"))
    (file,) = server.render(package, "delays", "7").items()
    assert file[0] == "delays.yaml"
    made = yaml.safe_load(file[1])
    assert isinstance(made, dict)
    return made


def test_a_model_of_mlflow(schema: Schema) -> None:
    made = rendered(LOGGED)
    assert schema(made) == []
    assert made["spec"]["predictor"]["model"] == {
        "modelFormat": {"name": "mlflow"},
        "protocolVersion": "v2",
        "storageUri": "s3://acme-ml/runs/7/model",
        "runtime": "mlserver-acme",
        "resources": {
            "requests": {"cpu": "500m", "memory": "2Gi"},
            "limits": {"cpu": "500m", "memory": "2Gi"},
        },
    }
    assert made["metadata"]["namespace"] == "models"
    assert made["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] == "Knative"


def test_a_model_in_a_container_of_ones_own(schema: Schema) -> None:
    made = rendered(SKOPS)
    assert schema(made) == []
    predictor = made["spec"]["predictor"]
    (container,) = predictor["containers"]
    assert container["name"] == "kserve-container"
    assert container["image"] == "registry.example/skops:1"
    assert {"name": "STORAGE_URI", "value": "s3://acme-ml/packages/7"} in container["env"]
    assert "--model_name=delays" in container["args"]
    assert predictor["serviceAccountName"] == "reader"
    assert (predictor["minReplicas"], predictor["maxReplicas"]) == (2, 5)
    assert "model" not in predictor


def test_the_least_that_a_stack_can_say(schema: Schema) -> None:
    assert schema(rendered(LOGGED, KServeConfig())) == []


def test_the_crd_refuses_what_is_written_wrongly(schema: Schema) -> None:
    """So that a manifest which it takes tells something."""
    wrong: list[tuple[tuple[str, ...], Any, str]] = [
        (("canaryTraficPercent",), 10, "canaryTraficPercent"),
        (("canaryTrafficPercent",), "10", "'10' is not of type 'integer'"),
        (("model", "resources", "limits", "memory"), "2 GB", "2 GB"),
        (("model", "storageURI"), "s3://a/b", "storageURI"),
    ]
    for path, value, said in wrong:
        made = rendered(LOGGED)
        *before, last = path
        place = made["spec"]["predictor"]
        for key in before:
            place = place[key]
        place[last] = value
        assert said in "; ".join(schema(made))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"canaryTrafficPercent": 150}, "150; percents are 0 to 100"),
        ({"canaryTrafficPercent": -1}, "-1; percents are 0 to 100"),
        ({"sklearn": {"storageUri": "s3://a/b"}}, "model and sklearn: only one"),
        ({"model": {}}, "nothing says what runs"),
        ({"model": {"storageUri": "s3://a/b"}}, "modelFormat.name: missing"),
        ({"model": {"modelFormat": {"name": "x"}}}, "cannot read None"),
        ({"model": {"modelFormat": {"name": "x"}, "storageUri": "ftp://a"}}, "cannot read 'ftp"),
        ({"model": {}, "containers": [{"name": "a", "image": "b"}]}, "called 'kserve-container'"),
        ({"model": {}, "containers": [{"name": "kserve-container"}]}, "image: missing"),
    ],
)
def test_what_the_crd_leaves_out_is_refused(
    schema: Schema, change: dict[str, Any], said: str
) -> None:
    made = rendered(LOGGED)
    assert checked(copy.deepcopy(made)) == made
    made["spec"]["predictor"] |= change
    assert schema(made) == []
    with pytest.raises(InvalidInput, match=r"^InferenceService 'delays'") as caught:
        checked(made)
    assert said in str(caught.value)


def test_all_that_is_wrong_is_told() -> None:
    made = rendered(LOGGED)
    made["metadata"]["name"] = "a" * (NAME_LENGTH + 1)
    made["spec"]["predictor"] |= {"canaryTrafficPercent": True, "model": {"storageUri": "x"}}
    with pytest.raises(InvalidInput) as caught:
        checked(made)
    for said in (f"room for {NAME_LENGTH}", "canaryTrafficPercent: True", "modelFormat", "'x'"):
        assert said in str(caught.value)


def test_a_format_that_nothing_serves() -> None:
    with pytest.raises(InvalidInput, match=r"'onnx'.*Formats: mlflow, sklearn-skops.*images:"):
        rendered(ModelPackage("onnx", "s3://a/b", "d", SIGNATURE))


def test_a_package_of_this_machine_is_copied_once(tmp_path: Path) -> None:
    folder = tmp_path / "package"
    (folder / "deep").mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {}")
    (folder / "deep" / "data").write_bytes(b"123")
    package = ModelPackage("mlflow", str(folder), folder_digest(folder), SIGNATURE)
    with pytest.raises(InvalidInput, match="storage: s3://bucket/models"):
        rendered(package)
    storage = tmp_path / "storage"
    config = KServeConfig(storage=f"file://{storage}")
    target = storage / package.digest
    for _ in range(2):
        made = rendered(package, config)
        assert made["spec"]["predictor"]["model"]["storageUri"] == f"file://{target}"
        assert (target / "deep" / "data").read_bytes() == b"123"
        assert folder_digest(target) == package.digest
    (target / "deep" / "data").write_bytes(b"1")  # as left by a process that was killed
    rendered(package, config)
    assert folder_digest(target) == package.digest
    (folder / "MLmodel").write_text("changed")
    with pytest.raises(DigestMismatch):
        rendered(package, config)


def test_storage_on_s3(tmp_path: Path, s3_url: str) -> None:
    import fsspec

    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "MLmodel").write_text("flavors: {}")
    digest = folder_digest(tmp_path / "package")
    package = ModelPackage("mlflow", str(tmp_path / "package"), digest, SIGNATURE)
    made = rendered(package, KServeConfig(storage=f"{s3_url}/models"))
    uri = made["spec"]["predictor"]["model"]["storageUri"]
    assert uri == f"{s3_url}/models/{digest}"
    files = fsspec.filesystem("s3", skip_instance_cache=True, use_listings_cache=False)
    assert files.cat_file(f"{uri}/MLmodel") == b"flavors: {}"
    with pytest.raises(Unavailable, match="cannot be copied to s3://misspelt/models"):
        rendered(package, KServeConfig(storage="s3://misspelt/models"))
    assert not files.exists("misspelt")


def test_storage_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "MLmodel").write_text("")
    digest = folder_digest(tmp_path / "package")
    package = ModelPackage("mlflow", str(tmp_path / "package"), digest, SIGNATURE)
    (tmp_path / "file").touch()
    for storage in (f"file://{tmp_path}/file", "nowhere://bucket"):
        with pytest.raises(Unavailable, match=f"cannot be copied to {storage}"):
            rendered(package, KServeConfig(storage=storage))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"namespace": "Models"}, "namespace: 'Models'"),
        ({"storage": "models"}, "s3://bucket/models"),
        ({"min_replicas": 3, "max_replicas": 2}, "3 to 2 pods"),
        ({"min_replicas": -1}, "-1 to 0 pods"),
        ({"gateway": "127.0.0.1:80"}, "http://"),
        ({"ready_within": 0}, "ready_within: must be more than 0"),
    ],
)
def test_what_a_stack_may_not_say(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        KServeConfig(**wrong)
