"""Each file that the real TensorFlow Serving is started with is written by the repository, in a form that it reads.

It sees the models and nothing else of the data folder.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from google.protobuf import text_format

from serving.repository import ModelRepository
from serving.repository.server_protos import batching_parameters, monitoring_config
from tests.serving.conftest import Publish
from tidzam_platform.settings import PROJECT_ROOT, Settings, load_settings

DEPLOY = PROJECT_ROOT / "deploy"
HOME_IN_CONTAINER = "/data"


def model_server_config() -> Any:
    from tensorflow_serving.config import model_server_config_pb2

    return model_server_config_pb2.ModelServerConfig()


# The flag that names a file, and the message that tensorflow_model_server parses from it (model_servers/main.cc).
MESSAGES: dict[str, Callable[[], Any]] = {
    "model_config_file": model_server_config,
    "monitoring_config_file": monitoring_config,
    "batching_parameters_file": batching_parameters,
}


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return loaded


def manifests() -> list[dict[str, Any]]:
    return [
        document
        for file in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
        for document in yaml.safe_load_all(file.read_text())
    ]


def pods() -> dict[str, dict[str, Any]]:
    """Pods of Kubernetes by the name of their deployment."""
    return {
        document["metadata"]["name"]: document["spec"]["template"]["spec"]
        for document in manifests()
        if document["kind"] == "Deployment"
    }


class Mount(NamedTuple):
    """What a container sees of the data folder, and where."""

    path: str
    folder: str = ""  # of the data folder; empty: all of it
    read_only: bool = False


MODELS_ALONE = Mount(f"{HOME_IN_CONTAINER}/models", "models", read_only=True)


def compose_mounts(service: dict[str, Any]) -> list[Mount]:
    found = []
    for volume in service["volumes"]:
        if isinstance(volume, str):
            name, path = volume.split(":")
            found.append(Mount(path))
        else:
            name = volume["source"]
            found.append(Mount(volume["target"], volume["volume"]["subpath"], volume["read_only"]))
        assert name == "data"
    return found


def kubernetes_mounts(container: dict[str, Any]) -> list[Mount]:
    return [
        Mount(mount["mountPath"], mount.get("subPath", ""), mount.get("readOnly", False))
        for mount in container["volumeMounts"]
    ]


def compose_server() -> tuple[list[str], list[Mount]]:
    """The command of the model server and its mounts."""
    service = compose()["services"]["model-server"]
    return service["entrypoint"], compose_mounts(service)


def kubernetes_server() -> tuple[list[str], list[Mount]]:
    (server,) = pods()["tidzam-model-server"]["containers"]
    return [*server["command"], *server["args"]], kubernetes_mounts(server)


SERVERS = {"compose": compose_server, "kubernetes": kubernetes_server}


def our_containers() -> dict[str, tuple[dict[str, str], list[Mount]]]:
    """Environment and mounts of the containers that run Tidzam."""
    services = compose()["services"]
    found = {
        f"compose {name}": (services[name]["environment"], compose_mounts(services[name]))
        for name in ("prepare", "gateway", "dagster")
    }
    (prepare,) = pods()["tidzam-model-server"]["initContainers"]
    (gateway,) = pods()["tidzam-gateway"]["containers"]
    for name, container in (("prepare", prepare), ("gateway", gateway)):
        variables = {variable["name"]: variable["value"] for variable in container["env"]}
        found[f"kubernetes {name}"] = (variables, kubernetes_mounts(container))
    return found


def flags(command: list[str]) -> dict[str, str]:
    return dict(argument.removeprefix("--").split("=", 1) for argument in command[1:])


@pytest.mark.parametrize("kind", SERVERS)
@pytest.mark.parametrize("labelled", [False, True])
def test_each_mounted_file_is_written_by_us_and_read_by_tensorflow_serving(
    kind: str, labelled: bool, repository: ModelRepository, publish: Publish
) -> None:
    if labelled:
        publish(3)
        publish(4)
        repository.promote(3, by="test", reason="it is good")
        repository.promote(4, by="test", reason="to be tried", label="canary")
    repository.write_server_files()
    command, mounts = SERVERS[kind]()
    assert mounts == [MODELS_ALONE]
    home = repository.base_path.parent.parent
    read = set()
    for flag, value in flags(command).items():
        if flag not in MESSAGES:
            assert not value.startswith("/"), f"--{flag} names a file that no message is known for"
            continue
        file = home / MODELS_ALONE.folder / Path(value).relative_to(MODELS_ALONE.path)
        message = MESSAGES[flag]()
        text_format.Parse(file.read_text(), message)
        assert message.ByteSize() > 0
        read.add(flag)
    assert read == MESSAGES.keys()


@pytest.mark.parametrize("name", our_containers())
def test_in_a_container_the_base_path_lies_in_the_mounted_folder(
    name: str, repository: ModelRepository, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All containers see the models under one path: what one writes is true for the other."""
    repository.write_server_files()
    config = model_server_config()
    text_format.Parse((home.models_folder / "serving" / "models.config").read_text(), config)
    (model,) = config.model_config_list.config
    below_models = Path(model.base_path).relative_to(home.models_folder)
    assert below_models.parts

    variables, mounts = our_containers()[name]
    assert mounts == [Mount(HOME_IN_CONTAINER)], "all of the data folder, to be written to"
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    ours = load_settings()
    assert ours.home == Path(HOME_IN_CONTAINER)
    assert ours.models_folder == Path(MODELS_ALONE.path)
    assert ours.models_folder.relative_to(ours.home) == Path(MODELS_ALONE.folder)


def test_the_folder_that_is_mounted_alone_is_not_looked_for_before_it_is_made() -> None:
    (volume,) = compose()["services"]["model-server"]["volumes"]
    assert volume["volume"]["nocopy"]
    assert compose()["services"]["model-server"]["depends_on"] == {
        "prepare": {"condition": "service_completed_successfully"}
    }


def test_nothing_of_compose_listens_beyond_this_machine() -> None:
    for service in compose()["services"].values():
        for port in service.get("ports", []):
            assert re.match(r"127\.0\.0\.1:\d+:\d+$", port)


def test_every_variable_of_ours_is_a_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = [service.get("environment", {}) for service in compose()["services"].values()] + [
        {variable["name"]: variable["value"] for variable in container.get("env", [])}
        for pod in pods().values()
        for container in [*pod["containers"], *pod.get("initContainers", [])]
    ]
    assert any("TIDZAM_GATEWAY__ALLOWED_HOSTS" in variables for variables in given)
    for variables in given:
        with monkeypatch.context() as patched:
            for name, value in variables.items():
                patched.setenv(name, str(tmp_path) if name == "TIDZAM_HOME" else value)
            load_settings()
