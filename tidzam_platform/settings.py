"""One typed object holds every setting: ``tidzam.toml``, then ``TIDZAM_*``, then command-line options.

Nested settings are written ``TIDZAM_MODEL_SERVER__PORT`` in the environment and ``[model_server] port`` in TOML.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from tidzam_platform.errors import SettingsError

PROJECT_ROOT = Path(__file__).resolve().parent.parent
CONFIG_FILE_VARIABLE = "TIDZAM_CONFIG"


def _default_home() -> Path:
    if (PROJECT_ROOT / "pyproject.toml").exists():
        return PROJECT_ROOT / "var"
    return Path.home() / ".local" / "share" / "tidzam"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelServerSettings(_Section):
    """Where the model server listens and how long a client waits for it."""

    host: str = Field(
        "127.0.0.1", description="Address the model server listens on; loopback unless told otherwise."
    )
    port: int = Field(8500, ge=0, le=65535, description="gRPC port of the model server; 0 takes a free one.")
    poll_interval_s: float = Field(
        1.0, gt=0, description="How often the server looks for a new model version."
    )
    deadline_s: float = Field(10.0, gt=0, description="How long a client waits for one answer.")
    max_message_mb: int = Field(64, ge=1, le=2047, description="Largest gRPC message, both directions.")


class DagsterSettings(_Section):
    """Where the Dagster web server listens."""

    host: str = Field("127.0.0.1", description="Address the Dagster web server listens on.")
    port: int = Field(3000, ge=0, le=65535, description="Port of the Dagster web server; 0 takes a free one.")


class TrainingSettings(_Section):
    """How an expert is trained."""

    seed: int = Field(1, description="Seed of every random choice in training.")
    max_epochs: int = Field(
        40, ge=1, description="Training ends here if early stopping has not ended it before."
    )
    patience: int = Field(
        8, ge=1, description="Epochs without a better validation loss before training stops."
    )
    batch_size: int = Field(64, ge=1, description="Windows in a training batch.")
    learning_rate: float = Field(2e-3, gt=0, description="Peak learning rate of the optimiser.")
    windows_per_epoch: int = Field(3072, ge=1, description="Balanced draws of windows in an epoch.")


class GateSettings(_Section):
    """What a generation must show before it is served."""

    min_macro_f1: float = Field(0.3, ge=0, le=1, description="Least macro-F1 on the test side.")
    margin: float = Field(
        0.01, ge=0, le=1, description="How far below the generation in service macro-F1 may fall."
    )


class DecisionSettings(_Section):
    """How scores become a class, and classes become events."""

    no_signal_dbfs: float = Field(-65.0, le=0, description="Windows quieter than this are no_signal.")
    threshold: float = Field(0.5, gt=0, lt=1, description="Least score for an answer other than unknown.")


class Settings(BaseSettings):
    """All settings of Tidzam. Frozen: a change makes a new object."""

    model_config = SettingsConfigDict(
        env_prefix="TIDZAM_", env_nested_delimiter="__", extra="forbid", frozen=True, validate_default=True
    )

    home: Path = Field(
        default_factory=_default_home, description="The data folder: everything that Tidzam keeps."
    )
    database_url: str = Field(
        "", description="SQLAlchemy URL of the catalog; empty means SQLite in the home."
    )
    archive: Path | None = Field(
        None, description="Folder of recordings; archive/ in the home unless told otherwise."
    )
    model_server: ModelServerSettings = Field(default_factory=ModelServerSettings)
    dagster: DagsterSettings = Field(default_factory=DagsterSettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)
    gate: GateSettings = Field(default_factory=GateSettings)
    decision: DecisionSettings = Field(default_factory=DecisionSettings)

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the framework passes it
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the framework passes it
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Options beat the environment, the environment beats the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=config_file())

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
        """Root of the local object store."""
        return self.home / "store"

    @property
    def models_folder(self) -> Path:
        """Base of the model repository."""
        return self.home / "models"

    @property
    def dagster_folder(self) -> Path:
        """DAGSTER_HOME."""
        return self.home / "dagster"

    @property
    def logs_folder(self) -> Path:
        """Logs of the processes that we start."""
        return self.home / "logs"

    @property
    def locks_folder(self) -> Path:
        """Lock files of steps that must not run twice at once."""
        return self.home / "locks"


def config_file() -> Path:
    """The TOML file that settings come from; it need not exist."""
    return Path(os.environ.get(CONFIG_FILE_VARIABLE) or PROJECT_ROOT / "tidzam.toml")


def load_settings(**options: Any) -> Settings:
    """Read the settings; ``options`` that are None count as not given.

    Raises:
        SettingsError: a value is of the wrong type or range, a key is unknown, the file is not TOML.
    """
    try:
        return Settings(**{key: value for key, value in options.items() if value is not None})
    except ValidationError as error:
        lines = "\n".join(
            f"  {'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()
        )
        raise SettingsError(
            f"settings are wrong (in {config_file()}, TIDZAM_* or options):\n{lines}"
        ) from error
    except ValueError as error:  # the TOML parser's error
        raise SettingsError(f"{config_file()} cannot be read: {error}") from error
