"""What goes into images, which ones are run, and as whom."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.serving.deployment.test_model_server_files import compose, manifests, pods
from tidzam_platform.settings import PROJECT_ROOT


def containers() -> list[dict[str, Any]]:
    return [
        container
        for pod in pods().values()
        for container in [*pod["containers"], *pod.get("initContainers", [])]
    ]


def lines(name: str) -> list[str]:
    return [
        line
        for line in (PROJECT_ROOT / name).read_text().splitlines()
        if line.strip() and not line.startswith("#")
    ]


def test_nothing_that_git_ignores_is_copied_into_the_image() -> None:
    """The data folder with its secrets, above all: ``COPY .`` takes the whole checkout."""
    kept_out = lines(".dockerignore")
    assert ".git" in kept_out
    assert "var" in kept_out
    assert not [line for line in kept_out if line.startswith("!")], "nothing comes back in"
    for line in lines(".gitignore"):
        rooted = line.startswith("/")
        name = line.strip("/")
        assert (name if rooted else f"**/{name}") in kept_out


def test_what_the_dockerfile_needs_is_not_kept_out() -> None:
    for needed in ("tidzam", "pyproject.toml", "constraints.txt", "tidzam_platform", "serving", "assets"):
        assert (PROJECT_ROOT / needed).exists()
        assert needed not in lines(".dockerignore")


def test_the_model_server_is_of_the_tensorflow_that_exports() -> None:
    constraints = (PROJECT_ROOT / "constraints.txt").read_text()
    found = re.search(r"^tensorflow-serving-api==(\S+)", constraints, re.MULTILINE)
    assert found is not None
    image = f"tensorflow/serving:{found[1]}"
    assert compose()["services"]["model-server"]["image"] == f"${{TENSORFLOW_SERVING_IMAGE:-{image}}}"
    assert [c["image"] for c in containers() if c["name"] == "tensorflow-serving"] == [image]


def test_images_of_kubernetes_are_from_a_named_registry_with_a_tag() -> None:
    ours = {container["image"] for container in containers() if container["name"] != "tensorflow-serving"}
    assert ours == {"registry.example/tidzam:1"}, "what deploy/README.md replaces"
    assert {container["imagePullPolicy"] for container in containers()} == {"IfNotPresent"}


@pytest.mark.parametrize("name", ["tidzam-model-server", "tidzam-gateway"])
def test_a_mount_leaves_the_rights_of_secrets_alone(name: str) -> None:
    context = pods()[name]["securityContext"]
    assert context["runAsNonRoot"]
    assert context["fsGroup"] == context["runAsUser"] == 1000
    assert context["fsGroupChangePolicy"] == "OnRootMismatch"


def test_no_probe_ends_a_model_server_that_has_no_generation_yet() -> None:
    (server,) = pods()["tidzam-model-server"]["containers"]
    assert "livenessProbe" not in server
    assert "startupProbe" not in server
    assert server["readinessProbe"]["httpGet"]["path"] == "/v1/models/tidzam"


def test_a_network_policy_stands_before_every_pod() -> None:
    guarded = [
        document["spec"]["podSelector"]["matchLabels"]
        for document in manifests()
        if document["kind"] == "NetworkPolicy" and document["spec"]["policyTypes"] == ["Ingress"]
    ]
    deployments = [document for document in manifests() if document["kind"] == "Deployment"]
    assert deployments
    for deployment in deployments:
        assert deployment["spec"]["selector"]["matchLabels"] in guarded


def test_who_gathers_figures_is_let_in_where_the_annotations_send_it() -> None:
    (deployment,) = [
        document for document in manifests() if document["metadata"]["name"] == "tidzam-model-server"
        and document["kind"] == "Deployment"
    ]  # fmt: skip
    (policy,) = [
        document for document in manifests() if document["metadata"]["name"] == "tidzam-model-server"
        and document["kind"] == "NetworkPolicy"
    ]  # fmt: skip
    template = deployment["spec"]["template"]
    port = int(template["metadata"]["annotations"]["prometheus.io/port"])
    (name,) = [
        known["name"]
        for known in template["spec"]["containers"][0]["ports"]
        if known["containerPort"] == port
    ]
    opened = [rule["ports"] for rule in policy["spec"]["ingress"] if "namespaceSelector" in rule["from"][0]]
    assert opened == [[{"port": name}]]
