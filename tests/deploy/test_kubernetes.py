"""The manifests: Kubernetes' own schemas, KEDA's documented fields, and that they name what there is."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import kubernetes_validate
import pytest
import yaml
from django.db import connection

from posts import conf as posts_conf
from queue_app import autoscale, clock, conf, workers
from queue_app.models import Job
from tests.deploy.test_container import known_names
from tests.site import ROOT

FOLDER = ROOT / "deploy/kubernetes"
VERSIONS = ("1.31", "1.34")
POD = {"Deployment", "Job"}
# keda.sh/docs/2.15/reference/scaledobject-spec and /scalers/postgresql, /concepts/authentication: what may stand where.
SCALED_OBJECT = {
    "scaleTargetRef",
    "pollingInterval",
    "cooldownPeriod",
    "initialCooldownPeriod",
    "idleReplicaCount",
    "minReplicaCount",
    "maxReplicaCount",
    "fallback",
    "advanced",
    "triggers",
}
TRIGGER = {"type", "metadata", "name", "useCachedMetrics", "authenticationRef", "metricType"}
POSTGRESQL = {"query", "targetQueryValue", "activationTargetQueryValue", "connectionFromEnv"}


def documents(*names: str) -> list[dict[str, Any]]:
    paths = [FOLDER / name for name in names]
    return [each for path in paths for each in yaml.safe_load_all(path.read_text())]


def manifests() -> list[dict[str, Any]]:
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    return documents(*kustomization["resources"], "secret.example.yaml")


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    for manifest in manifests():
        if manifest["kind"] in POD:
            yield manifest["metadata"]["name"], manifest["spec"]["template"]["spec"]


def containers() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, pod in pods():
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            yield f"{name}/{container['name']}", container


def scaled_object() -> dict[str, Any]:
    found: dict[str, Any] = documents("keda/scaledobject.yaml")[1]
    return found


@pytest.mark.one_database
@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_every_manifest(version: str) -> None:
    for manifest in manifests():
        kubernetes_validate.validate(manifest, version, strict=True)
        assert "namespace" not in manifest["metadata"]


@pytest.mark.one_database
def test_the_kustomization_builds_and_all_of_it_is_valid() -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    built = subprocess.run([kubectl, "kustomize", FOLDER], capture_output=True, text=True, check=True).stdout
    found = list(yaml.safe_load_all(built))
    for manifest in found:
        kubernetes_validate.validate(manifest, VERSIONS[-1], strict=True)
    templates = {each["metadata"]["name"]: each["spec"]["template"] for each in found if each["kind"] in POD}
    for each in found:
        if each["kind"] in ("Service", "PodDisruptionBudget"):
            wanted = each["spec"]["selector"].get("matchLabels", each["spec"]["selector"])
            assert wanted.items() <= templates[each["metadata"]["name"]]["metadata"]["labels"].items()


@pytest.mark.one_database
@pytest.mark.parametrize("name", [name for name, _container in containers()])
def test_containers_are_shut_in_and_run_what_there_is(name: str) -> None:
    container = dict(containers())[name]
    rights = container["securityContext"]
    assert (rights["readOnlyRootFilesystem"], rights["allowPrivilegeEscalation"]) == (True, False)
    assert rights["capabilities"] == {"drop": ["ALL"]}
    assert container["args"][0] in ("web", "worker", "migrate", "manage")
    assert {"requests", "limits"} <= set(container["resources"])
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounted == {"/data", "/tmp"}


@pytest.mark.one_database
def test_pods_run_as_nobody_in_particular_and_have_time_to_stop() -> None:
    stops = {}
    for name, pod in pods():
        context = pod["securityContext"]
        assert (context["runAsNonRoot"], context["runAsUser"]) == (True, 10001)
        assert pod["automountServiceAccountToken"] is False
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        assert set(volumes) == {"data", "tmp"}
        # Uploads are gathered there, and a pod that has more than that is evicted.
        room = volumes["tmp"]["emptyDir"]["sizeLimit"]
        assert int(room.removesuffix("Gi")) * 2**30 >= 2 * posts_conf.SETTINGS["VIDEO_MAX_BYTES"].default
        stops[name] = pod.get("terminationGracePeriodSeconds")
    assert stops["socialq-worker"] >= conf.SETTINGS["STOP_GRACE_SECONDS"].default + 10


@pytest.mark.one_database
def test_settings_and_secrets_have_names_that_the_site_reads() -> None:
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    (settings,) = kustomization["configMapGenerator"]
    given = {literal.partition("=")[0] for literal in settings["literals"]}
    (secret,) = documents("secret.example.yaml")
    assert given | set(secret["stringData"]) <= known_names()
    for _name, container in containers():
        sources = {next(iter(source.values()))["name"] for source in container["envFrom"]}
        assert sources == {settings["name"], secret["metadata"]["name"]}


def test_probes_ask_for_pages_that_there_are(client: Any, db: None) -> None:
    (web,) = [container for name, container in containers() if name == "socialq-web/web"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert client.get(web[probe]["httpGet"]["path"], headers={"host": "10.1.2.3:8000"}).status_code == 200


@pytest.mark.one_database
def test_keda_knows_every_field_and_the_bounds_are_the_settings() -> None:
    spec = scaled_object()["spec"]
    assert set(spec) <= SCALED_OBJECT
    assert set(spec["fallback"]) == {"failureThreshold", "replicas"}
    deployments = {each["metadata"]["name"] for each in manifests() if each["kind"] == "Deployment"}
    assert spec["scaleTargetRef"]["name"] in deployments
    (trigger,) = spec["triggers"]
    assert set(trigger) <= TRIGGER
    assert set(trigger["metadata"]) <= POSTGRESQL
    assert trigger["metricType"] == "AverageValue"
    authentication = documents("keda/scaledobject.yaml")[0]
    assert trigger["authenticationRef"]["name"] == authentication["metadata"]["name"]
    assert [each["parameter"] for each in authentication["spec"]["secretTargetRef"]] == ["connection"]
    defaults = [conf.SETTINGS[f"AUTOSCALE_{name}_WORKERS"].default for name in ("MIN", "MAX")]
    assert [spec["minReplicaCount"], spec["maxReplicaCount"]] == defaults
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "keda"},
        "spec": {"maxReplicas": 20, "scaleTargetRef": {"kind": "Deployment", "name": "x"}, "behavior": behavior},
    }
    kubernetes_validate.validate(scaler, VERSIONS[-1], strict=True)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("due", "pods", "wished"),
    [(0, 0, 1), (0, 1, 1), (49, 10, 8), (49, 2, 1), (50, 3, 3), (500, 3, 3), (501, 3, 6), (600, 1, 2)],
)
def test_the_query_wishes_for_as_many_pods_as_the_autoscaler_for_workers(due: int, pods: int, wished: int) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("KEDA asks PostgreSQL")
    now = clock.now()
    jobs = [Job(run_at=now) for _ in range(due)]
    jobs += [Job(run_at=now + timedelta(hours=1)), Job(run_at=now, queue="slow"), Job(run_at=now, parked_by="all")]
    for job in jobs:
        job.type, job.created_at, job.updated_at = "tests.job", now, now
    Job.objects.bulk_create(jobs)
    for number in range(pods):
        for _worker in range(2):
            workers.register(f"cluster {number}", {"default": 1})
    workers.register("another", {"slow": 1})
    query = scaled_object()["spec"]["triggers"][0]["metadata"]["query"]
    with connection.cursor() as cursor:
        cursor.execute(query)
        assert cursor.fetchall() == [(wished,)]
    within = autoscale.bounds()
    law = autoscale.wished_workers(due, max(pods, 1), within, quiet_looks=2 if due < within.down_under else 0)
    assert (wished > pods) == (law > pods)
    assert (wished < pods) == (law < pods)
