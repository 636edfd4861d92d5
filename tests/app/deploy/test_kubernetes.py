"""The manifests for Kubernetes and KServe: valid by the schemas, and of what the service really has."""

import copy
import json
import shutil
import subprocess
from typing import Any

import kubernetes_validate
import pytest
import yaml

from app import __version__
from app.main import create_app
from app.observability.metrics import ServiceMetrics
from app.server.spare_connections import SPARE_SECONDS
from app.server.worker import MARGIN_SECONDS
from app.settings import Settings
from app.settings.environment import PREFIX
from tests.documents.documents import ROOT

DEPLOY = ROOT / "app" / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
VERSIONS = ("1.30", "1.37")
"""Of Kubernetes: the first in which preStop may sleep without a feature gate, the newest with a schema."""

KUBERNETES_GRACE_SECONDS = 30
"""Which a pod has to end where nothing else is said, as in a runtime of KServe, which has no field for it."""

KSERVE = ROOT / ".venv-kserve"
UNKNOWN_FIELDS = """
import json, re, sys
import kserve, kubernetes.client


def unknown(value, type_, at):
    listed = re.fullmatch(r"list\\[(.+)\\]", type_)
    if listed:
        for number, element in enumerate(value):
            yield from unknown(element, listed[1], f"{at}[{number}]")
    elif hasattr(kserve, type_):
        class_ = getattr(kserve, type_)
        fields = {name: class_.openapi_types[field] for field, name in class_.attribute_map.items()}
        for name, content in value.items():
            if name in fields:
                yield from unknown(content, fields[name], f"{at}.{name}")
            else:
                yield f"{at}.{name}"
    elif hasattr(kubernetes.client, type_):
        read = getattr(kubernetes.client, type_).from_dict(value)
        if read.model_dump(by_alias=True, exclude_none=True) != value:
            yield at


for manifest in json.load(sys.stdin):
    version = manifest["apiVersion"].rpartition("/")[2].capitalize()
    for field in unknown(manifest, version + manifest["kind"], manifest["kind"]):
        print(field)
"""
"""A program that prints the fields of manifests that the classes of KServe and Kubernetes do not have."""


def manifests(*folders: str) -> list[tuple[str, dict[str, Any]]]:
    """Each object that is described below the folders, with the name of its file."""
    return [
        (path.name, described)
        for folder in folders
        for path in sorted((DEPLOY / folder).glob("*.yaml"))
        for described in yaml.safe_load_all(path.read_text())
        if "kind" in described
    ]


def of_kind(kind: str) -> dict[str, Any]:
    (found,) = (each for _, each in manifests("kubernetes", "kserve") if each["kind"] == kind)
    return found


OWN_SCHEMAS = ("Kustomization", "ServiceMonitor")
"""Not Kubernetes' own kinds, and no package has their schemas."""

BUILT_IN = [each for each in manifests("kubernetes") if each[1]["kind"] not in OWN_SCHEMAS]


@pytest.fixture(scope="module")
def pod() -> dict[str, Any]:
    template: dict[str, Any] = of_kind("Deployment")["spec"]["template"]
    return template


def containers() -> list[dict[str, Any]]:
    deployed: list[dict[str, Any]] = of_kind("Deployment")["spec"]["template"]["spec"]["containers"]
    return [*deployed, *of_kind("ServingRuntime")["spec"]["containers"]]


def environment(container: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container["env"]}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("file", "described"), BUILT_IN)
def test_manifest_is_valid(file: str, described: dict[str, Any], version: str) -> None:  # noqa: ARG001
    kubernetes_validate.validate(described, version, strict=True)


def test_a_wrong_manifest_would_be_found() -> None:
    wrong = json.loads(json.dumps(of_kind("Deployment")))
    wrong["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


@pytest.mark.skipif(
    not (KSERVE / ".installed").is_file(), reason="no KServe: run `make setup`, with Python 3.11 to 3.13"
)
def test_kserve_knows_every_field_of_its_manifests() -> None:
    """And of the same with two mistakes exactly these are unknown; at once, as its client takes seconds."""
    given = [described for _, described in manifests("kserve")]
    mistaken = copy.deepcopy(given)
    mistaken[0]["spec"]["predictor"]["maximumReplicas"] = 3
    mistaken[1]["spec"]["containers"][0]["readynessProbe"] = {}
    wrong = ["InferenceService.spec.predictor.maximumReplicas", "ServingRuntime.spec.containers[0]"]
    assert _unknown_to_kserve([*given, *mistaken]) == wrong


def _unknown_to_kserve(given: list[dict[str, Any]]) -> list[str]:
    command = [str(KSERVE / "bin" / "python"), "-c", UNKNOWN_FIELDS]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl on the path")
def test_kustomize_builds_all_of_it() -> None:
    built = subprocess.run(["kubectl", "kustomize", KUBERNETES], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    objects = {each["kind"]: each for each in yaml.safe_load_all(built.stdout)}
    assert set(objects) == {each["kind"] for _, each in manifests("kubernetes")} - {"Kustomization"}
    (container,) = objects["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"resnet-serve:{__version__}"


def test_the_images_are_those_that_are_built() -> None:
    composed = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    built = composed["services"]["resnet-serve"]["image"]
    (image,) = of_kind("Kustomization")["images"]
    assert {
        image["name"],
        image["newName"],
        of_kind("Deployment")["spec"]["template"]["spec"]["containers"][0]["image"],
    } == {built}
    assert image["newTag"] == __version__
    assert of_kind("ServingRuntime")["spec"]["containers"][0]["image"] == f"{built}:{__version__}"


@pytest.mark.parametrize("container", containers(), ids=lambda container: container["name"])
def test_every_setting_is_one_and_its_value_is_legal(container: dict[str, Any]) -> None:
    given = environment(container)
    assert all(name.startswith(PREFIX) for name in given)
    names = {name.removeprefix(PREFIX).lower(): value for name, value in given.items()}
    assert set(names) <= set(Settings.model_fields)
    Settings.model_validate(names)


@pytest.mark.parametrize("container", containers(), ids=lambda container: container["name"])
def test_every_probe_asks_for_a_path_and_a_port_that_are_there(container: dict[str, Any]) -> None:
    paths = create_app(Settings()).openapi()["paths"]
    ports = {port["containerPort"] for port in container["ports"]} | {
        port["name"] for port in container["ports"]
    }
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = container[probe]["httpGet"]
        assert "get" in paths[asked["path"]]
        assert asked["port"] in ports
    assert {port["containerPort"] for port in container["ports"]} == {_port_of_the_image()}


@pytest.mark.parametrize("kind", ["Deployment", "ServingRuntime"])
def test_no_probe_is_given_up_sooner_than_it_waits(kind: str) -> None:
    """Of a service that has all the connections it may have."""
    described = of_kind(kind)["spec"]
    (container,) = described.get("template", {}).get("spec", described)["containers"]
    probes = [content for name, content in container.items() if name.endswith("Probe")]
    assert probes
    assert all(probe.get("timeoutSeconds", 1) <= SPARE_SECONDS for probe in probes)


def _port_of_the_image() -> int:
    (line,) = (line for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("EXPOSE "))
    return int(line.split()[1])


def test_the_user_is_the_image_s(pod: dict[str, Any]) -> None:
    user = f"{pod['spec']['securityContext']['runAsUser']}:{pod['spec']['securityContext']['runAsGroup']}"
    assert f"USER {user}\n" in (ROOT / "Dockerfile").read_text()


def test_there_is_time_to_stop_in_order(pod: dict[str, Any]) -> None:
    (container,) = pod["spec"]["containers"]
    given = environment(container)
    needed = (
        container["lifecycle"]["preStop"]["sleep"]["seconds"]
        + int(given["RESNET_SERVE_UNREADY_SECONDS"])
        + int(given["RESNET_SERVE_DRAIN_SECONDS"])
        + MARGIN_SECONDS
    )
    assert pod["spec"]["terminationGracePeriodSeconds"] >= needed
    probe = container["readinessProbe"]
    noticed = probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"]
    assert int(given["RESNET_SERVE_UNREADY_SECONDS"]) > noticed


def test_there_is_time_to_stop_in_order_under_kserve() -> None:
    (container,) = of_kind("ServingRuntime")["spec"]["containers"]
    given = environment(container)
    needed = int(given["RESNET_SERVE_UNREADY_SECONDS"]) + int(given["RESNET_SERVE_DRAIN_SECONDS"])
    assert needed + MARGIN_SECONDS <= KUBERNETES_GRACE_SECONDS


def test_every_selector_selects_the_pods_and_the_service(pod: dict[str, Any]) -> None:
    labels = pod["metadata"]["labels"]
    service = of_kind("Service")
    assert labels == service["spec"]["selector"]
    for kind, key in (
        ("Deployment", "selector"),
        ("PodDisruptionBudget", "selector"),
        ("NetworkPolicy", "podSelector"),
    ):
        assert of_kind(kind)["spec"][key]["matchLabels"] == labels
    assert of_kind("ServiceMonitor")["spec"]["selector"]["matchLabels"] == service["metadata"]["labels"]
    (spread,) = pod["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == labels
    target = of_kind("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    deployment = of_kind("Deployment")
    assert target == {key: deployment[key] for key in ("apiVersion", "kind")} | {
        "name": deployment["metadata"]["name"]
    }
    runtime, service = of_kind("ServingRuntime"), of_kind("InferenceService")
    model = service["spec"]["predictor"]["model"]
    assert model["runtime"] == runtime["metadata"]["name"]
    assert model["protocolVersion"] in runtime["spec"]["protocolVersions"]
    (format_,) = runtime["spec"]["supportedModelFormats"]
    assert model["modelFormat"] == {key: format_[key] for key in ("name", "version")}
    assert (ROOT / "models" / "weights" / service["metadata"]["name"]).is_dir()


def test_every_port_is_one_of_the_pods(pod: dict[str, Any]) -> None:
    named = {port["name"] for container in pod["spec"]["containers"] for port in container["ports"]}
    offered = {port["name"]: port["targetPort"] for port in of_kind("Service")["spec"]["ports"]}
    assert set(offered.values()) <= named
    (rule,) = of_kind("NetworkPolicy")["spec"]["ingress"]
    assert {port["port"] for port in rule["ports"]} <= named
    (endpoint,) = of_kind("ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["port"] in offered
    paths = create_app(Settings()).openapi()["paths"]
    annotations = of_kind("ServingRuntime")["spec"]["annotations"]
    assert {endpoint["path"], annotations["prometheus.kserve.io/path"]} <= set(paths)
    assert int(annotations["prometheus.kserve.io/port"]) == _port_of_the_image()


def test_the_autoscaler_s_metric_exists_and_has_its_rule() -> None:
    asked = [
        metric["pods"]["metric"]["name"]
        for metric in of_kind("HorizontalPodAutoscaler")["spec"]["metrics"]
        if metric["type"] == "Pods"
    ]
    rules = yaml.safe_load((KUBERNETES / "adapter-values.yaml").read_text())["rules"]["custom"]
    assert asked == [rule["name"]["as"] for rule in rules]
    exposed = ServiceMetrics().exposition().decode()
    for rule, name in zip(rules, asked, strict=True):
        assert rule["seriesQuery"].startswith(f"{name}{{")
        assert f"# TYPE {name} gauge" in exposed


def test_what_is_mounted_can_be_written_and_nothing_else(pod: dict[str, Any]) -> None:
    (container,) = pod["spec"]["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/tmp"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {
        volume["name"] for volume in pod["spec"]["volumes"]
    }


def test_every_file_is_applied() -> None:
    files = {path.name for path in KUBERNETES.glob("*.yaml")}
    assert set(of_kind("Kustomization")["resources"]) == files - {"kustomization.yaml", "adapter-values.yaml"}
