"""One typed object holds every setting: ``tidzam.toml``, then ``TIDZAM_*``, then command-line options.

Nested settings are written ``TIDZAM_MODEL_SERVER__PORT`` in the environment and ``[model_server] port`` in TOML.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import (
    Field,
    ValidationError,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from tidzam_platform.analyzer_sections import AnalyzerSettings, ClipsSettings, OutputsSettings
from tidzam_platform.errors import SettingsError
from tidzam_platform.platform_sections import (
    DagsterSettings,
    LearningSettings,
    ReprocessingSettings,
    S3Settings,
)
from tidzam_platform.retention_section import RetentionSettings
from tidzam_platform.setting_sections import (
    AugmentationSettings,
    BatchingSettings,
    DecisionSettings,
    EventSettings,
    GateSettings,
    GatewaySettings,
    ModelRepositorySettings,
    ModelServerSettings,
    PathOrNone,
    TrainingSettings,
    TreeSettings,
)
from tidzam_platform.store.location import S3Location
from tidzam_platform.streamer_sections import (
    GraphSettings,
    IcecastSettings,
    MixerSettings,
    RecordingSettings,
    SourcesSettings,
    SupervisionSettings,
    WebSettings,
)
from tidzam_platform.variables import (
    CONFIG_FILE_VARIABLE,
    PREFIX,
    require_known_variables,
    require_lists_in_json,
    variable_of,
)

__all__ = [
    "CONFIG_FILE_VARIABLE",
    "PROJECT_ROOT",
    "AnalyzerSettings",
    "AugmentationSettings",
    "BatchingSettings",
    "ClipsSettings",
    "DagsterSettings",
    "DecisionSettings",
    "EventSettings",
    "GateSettings",
    "GatewaySettings",
    "GraphSettings",
    "IcecastSettings",
    "LearningSettings",
    "MixerSettings",
    "ModelRepositorySettings",
    "ModelServerSettings",
    "OutputsSettings",
    "RecordingSettings",
    "ReprocessingSettings",
    "RetentionSettings",
    "S3Settings",
    "Settings",
    "SourcesSettings",
    "SupervisionSettings",
    "TrainingSettings",
    "TreeSettings",
    "WebSettings",
    "config_file",
    "load_settings",
]

PROJECT_ROOT = Path(__file__).resolve().parent.parent


def _default_home() -> Path:
    if (PROJECT_ROOT / "pyproject.toml").exists():
        return PROJECT_ROOT / "var"
    return Path.home() / ".local" / "share" / "tidzam"


class _Environment(EnvSettingsSource):
    """``TIDZAM_*``; an empty path counts as not set, as shells leave it behind: the file's setting holds."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        value, key, is_complex = super().get_field_value(field, field_name)
        return (
            (None if value == "" and field_name in ("home", "archive", "store") else value),
            key,
            is_complex,
        )


class Settings(BaseSettings):
    """All settings of Tidzam. Frozen: a change makes a new object."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        validate_default=True,
        allow_inf_nan=False,
    )

    home: Path = Field(
        default_factory=_default_home, description="The data folder: everything that Tidzam keeps."
    )
    database_url: str = Field(
        "", description="SQLAlchemy URL of the catalog; empty means SQLite in the home."
    )
    archive: PathOrNone = Field(
        None, description="Folder of recordings; archive/ in the home unless told otherwise."
    )
    store: str = Field(
        "",
        description="Where objects are kept (clips, datasets, weights, detections): s3://bucket/prefix; empty: the "
        "folder store/ in the home.",
    )
    s3: S3Settings = Field(default_factory=S3Settings)
    model_server: ModelServerSettings = Field(default_factory=ModelServerSettings)
    gateway: GatewaySettings = Field(default_factory=GatewaySettings)
    model_repository: ModelRepositorySettings = Field(default_factory=ModelRepositorySettings)
    dagster: DagsterSettings = Field(default_factory=DagsterSettings)
    tree: TreeSettings = Field(default_factory=TreeSettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)
    gate: GateSettings = Field(default_factory=GateSettings)
    learning: LearningSettings = Field(default_factory=LearningSettings)
    decision: DecisionSettings = Field(default_factory=DecisionSettings)
    reprocessing: ReprocessingSettings = Field(default_factory=ReprocessingSettings)
    graph: GraphSettings = Field(default_factory=GraphSettings)
    sources: SourcesSettings = Field(default_factory=SourcesSettings)
    recording: RecordingSettings = Field(default_factory=RecordingSettings)
    mixer: MixerSettings = Field(default_factory=MixerSettings)
    icecast: IcecastSettings = Field(default_factory=IcecastSettings)
    web: WebSettings = Field(default_factory=WebSettings)
    analyzer: AnalyzerSettings = Field(default_factory=AnalyzerSettings)
    clips: ClipsSettings = Field(default_factory=ClipsSettings)
    outputs: OutputsSettings = Field(default_factory=OutputsSettings)
    supervision: SupervisionSettings = Field(default_factory=SupervisionSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)

    @field_validator("home", mode="before")
    @classmethod
    def _not_empty(cls, home: Any) -> Any:
        return _default_home() if home == "" else home

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    @field_validator("store")
    @classmethod
    def _is_a_place(cls, store: str) -> str:
        return str(S3Location.parse(store)) if store else ""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the framework passes it
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the framework passes it
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the framework passes it
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Options beat the environment, the environment beats the file."""
        file = TomlConfigSettingsSource(settings_cls, toml_file=config_file())
        return init_settings, _Environment(settings_cls), file

    @cached_property
    def catalog_url(self) -> str:
        """URL of the catalog, the SQLite default resolved."""
        return self.database_url or f"sqlite:///{self.home / 'catalog.db'}"

    @property
    def archive_folder(self) -> Path:
        """Folder of recordings, the default resolved."""
        return self.archive or self.home / "archive"

    @property
    def store_folder(self) -> Path:
        """Root of the local object store, where objects are if ``store`` names no other place."""
        return self.home / "store"

    @property
    def store_cache_folder(self) -> Path:
        """Files of objects that were read from a distant store; may be removed at any time."""
        return self.home / "cache" / "store"

    @property
    def secrets_folder(self) -> Path:
        """Keys, tokens, credentials; for its owner alone."""
        return self.home / "secrets"

    @property
    def models_folder(self) -> Path:
        """Base of the model repository."""
        return self.home / "models"

    @property
    def dagster_folder(self) -> Path:
        """DAGSTER_HOME."""
        return self.home / "dagster"

    @property
    def tensorboard_folder(self) -> Path:
        """TensorBoard logs, one folder a training."""
        return self.home / "tensorboard"

    @property
    def logs_folder(self) -> Path:
        """Logs of the processes that we start."""
        return self.home / "logs"

    @property
    def run_folder(self) -> Path:
        """Sockets and files of processes that run now; for its owner alone."""
        return self.home / "run"

    @property
    def locks_folder(self) -> Path:
        """Lock files of steps that must not run twice at once."""
        return self.home / "locks"


def config_file() -> Path:
    """The TOML file that settings come from; it need not exist unless ``TIDZAM_CONFIG`` names it."""
    return Path(os.environ.get(CONFIG_FILE_VARIABLE) or PROJECT_ROOT / "tidzam.toml")


def load_settings(**options: Any) -> Settings:
    """Read the settings; ``options`` that are None count as not given.

    Raises:
        SettingsError: a value is of the wrong type or range, a key or variable is unknown, the file is not TOML,
            ``TIDZAM_CONFIG`` names no file, or a file stands where the home would be.
    """
    require_known_variables(Settings, os.environ)
    require_lists_in_json(Settings, os.environ)
    _require_config_file()
    try:
        settings = Settings(**{key: value for key, value in options.items() if value is not None})
    except ValidationError as error:
        lines = "\n".join(
            f"  {'.'.join(map(str, item['loc']))}: {item['msg']}{_set_by(item['loc'])}"
            for item in error.errors()
        )
        raise SettingsError(
            f"settings are wrong (in {config_file()}, TIDZAM_* or options):\n{lines}"
        ) from error
    except (OSError, ValueError) as error:  # ValueError: the TOML parser's error
        raise SettingsError(f"{config_file()} cannot be read: {error}") from error
    _require_no_file(settings.home)
    return settings


def _set_by(place: tuple[int | str, ...]) -> str:
    """The variable that a wrong value may come from, where it is set."""
    variable = variable_of(place, os.environ)
    return f" ({variable} says so)" if variable else ""


def _require_no_file(home: Path) -> None:
    """A command that only asks makes no home: it would say that no process answers there."""
    for place in (home, *home.parents):
        if os.path.exists(place):  # noqa: PTH110 - unlike Path's it answers no where we may not look
            if not place.is_dir():
                raise SettingsError(
                    f"the data folder {home} cannot be: a file stands there; name another with --home or TIDZAM_HOME"
                )
            return


def _require_config_file() -> None:
    file = config_file()
    if file.is_dir():
        raise SettingsError(f"{file} is a folder: settings are read from a TOML file")
    if os.environ.get(CONFIG_FILE_VARIABLE) and not file.exists():
        raise SettingsError(
            f"{CONFIG_FILE_VARIABLE} names {file}, which is not there: mend the path, or unset it"
        )
