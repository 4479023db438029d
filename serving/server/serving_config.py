"""Which versions a server is to hold and what their labels are: TensorFlow Serving's model server config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from serving.signature import MODEL_NAME, STABLE
from tidzam_platform.errors import ModelRepositoryError


@dataclass(frozen=True)
class ServingConfig:
    """A version policy (``ServableVersionPolicy``) with version labels.

    Attributes:
        policy: ``latest``: the newest ``count`` versions that are fit; ``all``: every version;
            ``specific``: those named in ``versions``.
        count: for ``latest``, at least 1.
        versions: for ``specific``.
        labels: version by label, e.g. ``{"stable": 3}``.
    """

    policy: Literal["latest", "all", "specific"] = "latest"
    count: int = 1
    versions: tuple[int, ...] = ()
    labels: Mapping[str, int] = field(default_factory=dict)

    def candidates(self, available: Sequence[int]) -> list[int]:
        """The versions of ``available`` that may be served, newest first; with ``specific`` the stable one first."""
        if self.policy == "specific":
            stable = self.labels.get(STABLE)
            return sorted(
                set(self.versions) & set(available), key=lambda version: (version != stable, -version)
            )
        return sorted(available, reverse=True)

    @property
    def most(self) -> float:
        """How many of the candidates are served at once."""
        return self.count if self.policy == "latest" else float("inf")


def read_serving_config(file: Path, base_path: Path) -> ServingConfig | None:
    """The config in ``file`` (text format of ``ModelServerConfig``); None if there is no file.

    Raises:
        ModelRepositoryError: it cannot be read, or is not a config of our one model.
    """
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ModelRepositoryError(f"{file} cannot be read: {error}") from error
    config = model_server_config_pb2.ModelServerConfig()
    try:
        text_format.Parse(text, config)
    except text_format.ParseError as error:
        raise ModelRepositoryError(f"{file} is no ModelServerConfig: {error}") from error
    try:
        return config_of_proto(config, base_path)
    except ModelRepositoryError as error:
        raise ModelRepositoryError(f"{file}: {error}") from error


def config_of_proto(config: Any, base_path: Path) -> ServingConfig:
    """What a ``ModelServerConfig`` asks of the model at ``base_path``.

    Raises:
        ModelRepositoryError: it names another model or folder, or makes no sense. A server of ours holds one
            model from one folder: a path from outside is never followed.
    """
    models = list(config.model_config_list.config)
    if len(models) != 1 or models[0].name != MODEL_NAME:
        named = ", ".join(repr(model.name) for model in models) or "none"
        raise ModelRepositoryError(
            f"this server holds the one model {MODEL_NAME!r}; the config names {named}"
        )
    model = models[0]
    if model.base_path and Path(model.base_path) != base_path:
        raise ModelRepositoryError(
            f"this server reads its versions from {base_path}, not from {model.base_path!r}"
        )
    if model.model_platform not in ("", "tensorflow"):
        raise ModelRepositoryError(f"the model's platform is tensorflow, not {model.model_platform!r}")
    policy = model.model_version_policy
    labels = dict(model.version_labels)
    choice = policy.WhichOneof("policy_choice")
    if choice == "all":
        return ServingConfig("all", labels=labels)
    if choice == "specific":
        versions = tuple(sorted(set(policy.specific.versions)))
        if not versions:
            raise ModelRepositoryError("a specific version policy names at least one version")
        if strays := sorted(label for label, version in labels.items() if version not in versions):
            raise ModelRepositoryError(f"the label {strays[0]!r} names a version that is not to be served")
        return ServingConfig("specific", versions=versions, labels=labels)
    # No policy is "latest 1" (file_system_storage_path_source.proto); so is a count of zero.
    return ServingConfig("latest", count=max(1, policy.latest.num_versions), labels=labels)
