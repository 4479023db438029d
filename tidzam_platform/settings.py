"""One typed object holds every setting: ``tidzam.toml``, then ``TIDZAM_*``, then command-line options.

Nested settings are written ``TIDZAM_MODEL_SERVER__PORT`` in the environment and ``[model_server] port`` in TOML.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from tidzam_platform.errors import SettingsError
from tidzam_platform.variables import CONFIG_FILE_VARIABLE, PREFIX, require_known_variables

PROJECT_ROOT = Path(__file__).resolve().parent.parent

# An empty path would be the folder that one happens to stand in.
_PathOrNone = Annotated[Path | None, BeforeValidator(lambda value: None if value == "" else value)]


def _default_home() -> Path:
    if (PROJECT_ROOT / "pyproject.toml").exists():
        return PROJECT_ROOT / "var"
    return Path.home() / ".local" / "share" / "tidzam"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


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


class AugmentationSettings(_Section):
    """How training patches are varied; zero turns each kind off."""

    background_share: float = Field(
        0.0, ge=0, le=1, description="Share of the patches that get background of the site mixed under them."
    )
    noise_share: float = Field(
        0.3, ge=0, le=1, description="Share of the other patches that get noise of random colour under them."
    )
    noise_tilt_db_per_octave: tuple[float, float] = Field(
        (-6.0, 3.0),
        description="Range of the slope of that noise: from brown (-6) over pink and white to blue.",
    )
    background_snr_db: tuple[float, float] = Field(
        (0.0, 25.0), description="Range of the level of the sound above its background, in dB."
    )
    time_stretch: float = Field(
        0.15, ge=0, le=1, description="Patches are played up to this share faster, or slower."
    )
    pitch_semitones: float = Field(
        1.5, ge=0, le=12, description="Patches are shifted up to so far up or down in frequency."
    )
    variants: int = Field(
        0,
        ge=0,
        le=20,
        description="Copies of each training clip stretched and shifted by librosa and kept on disk; 0: patches are "
        "stretched and shifted as they are drawn.",
    )
    gain_db: float = Field(6.0, ge=0, description="Standard deviation of a random gain, in dB.")
    equaliser_db: float = Field(
        3.0, ge=0, description="Standard deviation of a slow random curve over the bands, in dB."
    )
    mixup: float = Field(0.2, ge=0, description="Parameter of the Beta distribution that two patches mix by.")
    masked_frames: int = Field(16, ge=0, description="Widest mask in time, in STFT frames.")
    masked_bands: int = Field(8, ge=0, description="Widest mask in frequency, in bands.")


class TrainingSettings(_Section):
    """How a tree of experts is trained."""

    seed: int = Field(1, ge=0, description="Seed of every random choice in training.")
    architecture: str = Field("pooled", description="Name of the network that all experts share.")
    background_classes: tuple[str, ...] = Field(
        ("noise", "no_signal"),
        description="Classes whose training clips are mixed under those of other classes.",
    )
    augmentation: AugmentationSettings = Field(default_factory=AugmentationSettings)
    class_balance: float = Field(
        0.5, ge=0, le=1, description="1 draws all classes equally often, 0 as often as they have clips."
    )
    label_smoothing: float = Field(
        0.05, ge=0, lt=1, description="Share of each target that is spread over all classes."
    )
    focal_gamma: float = Field(
        0.0, ge=0, description="Above 0, windows that are easy already count less (focal loss)."
    )
    weight_decay: float = Field(1e-3, ge=0, description="Decoupled weight decay of the optimiser.")
    weight_average: float = Field(
        0.995, ge=0, lt=1, description="Momentum of the running mean of the weights that is kept."
    )
    max_epochs: int = Field(
        32, ge=1, description="Training ends here if early stopping has not ended it before."
    )
    patience: int = Field(
        12, ge=1, description="Epochs without a better validation loss before training stops."
    )
    refit: bool = Field(
        True,
        description="Go on from the best weights on train and validation side together, a third as long.",
    )
    batch_size: int = Field(64, ge=1, description="Windows in a training batch.")
    learning_rate: float = Field(2e-3, gt=0, description="Peak learning rate of the optimiser.")
    windows_per_epoch: int = Field(6144, ge=1, description="Balanced draws of windows in an epoch.")
    precision: Literal["float32", "mixed", "mixed_bfloat16", "mixed_float16"] = Field(
        "float32",
        description="What layers compute in; mixed: the half precision that the hardware is made for.",
    )
    devices: int = Field(
        1, ge=1, description="GPUs of a machine (processors where it has none) that share each batch."
    )
    workers: tuple[str, ...] = Field(
        (), description="host:port of each worker of a training on several machines, the leading one first."
    )
    worker: int = Field(0, ge=0, description="Which of the workers this process is; 0 leads.")
    worker_deadline_s: float = Field(
        600.0, gt=0, description="How long workers wait for one another, at the start and at each step."
    )
    tensorboard: bool = Field(True, description="Write logs of each training for TensorBoard into the home.")

    @model_validator(mode="after")
    def _is_one_of_the_workers(self) -> Self:
        for address in self.workers:
            _, colon, port = address.rpartition(":")
            if not (colon and port.isascii() and port.isdecimal() and 0 < int(port) < 1 << 16):
                raise ValueError(f"workers: {address!r} is not host:port with a port from 1 to 65535")
        if len(set(self.workers)) < len(self.workers):
            raise ValueError("workers: an address stands there twice; each worker needs its own")
        if self.worker >= max(1, len(self.workers)):
            raise ValueError(
                f"worker is {self.worker}, but workers names {len(self.workers)}; they count from 0"
            )
        return self

    def deciding(self) -> dict[str, Any]:
        """The settings that decide weights: neither what is written beside them nor who shares the work."""
        return self.model_dump(exclude={"tensorboard", "devices", "workers", "worker", "worker_deadline_s"})


class TreeSettings(_Section):
    """What hears: the tree of experts and its front end."""

    shape: Literal["by_parent", "flat"] = Field(
        "by_parent",
        description="by_parent: a selector, and an expert for the classes below each of its classes; "
        "flat: one expert for all classes.",
    )
    file: _PathOrNone = Field(None, description="TOML file that describes the tree instead of `shape`.")
    labels: Literal["single", "multi"] = Field(
        "single",
        description="single: one class sounds in a clip; multi: any number may. What `file` says goes before.",
    )
    front_end: str = Field("default", description="Name of the front end: default, tidzam, nordby or vggish.")


class GateSettings(_Section):
    """What a generation must show before it is served."""

    min_macro_f1: float = Field(0.3, ge=0, le=1, description="Least macro-F1 on the test side.")
    margin: float = Field(
        0.01, ge=0, le=1, description="How far below the generation in service macro-F1 may fall."
    )


class EventSettings(_Section):
    """How the answers for windows become events with a beginning and an end."""

    smoothing_windows: int = Field(
        1, ge=1, le=100, description="Scores are the mean over so many windows; 1 smooths nothing."
    )
    on_threshold: float = Field(
        0.6, ge=0, le=1, description="Least score at which an event begins; 0: the decision is enough."
    )
    off_threshold: float = Field(
        0.2,
        ge=0,
        le=1,
        description="An event goes on while its class scores this; 0: while it is decided.",
    )
    fill_s: float = Field(1.0, ge=0, description="A gap in one sound up to this long is filled.")
    minimum_s: float = Field(0.0, ge=0, description="Shorter events are left out.")
    edges: Literal["window", "hop"] = Field(
        "hop",
        description="An event covers its whole windows, or of each window the hop around its middle.",
    )


class DecisionSettings(_Section):
    """How scores become a class, and classes become events."""

    rule: Literal["thresholds", "margin"] = Field(
        "thresholds",
        description="thresholds: each class has its own, fitted; margin: the rule of the original Tidzam.",
    )
    events: EventSettings = Field(default_factory=EventSettings)
    no_signal_dbfs: float = Field(-65.0, le=0, description="Windows quieter than this are no_signal.")
    threshold: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="Least score for an answer other than unknown; fitted thresholds lie above it.",
    )
    precision: float = Field(
        0.8, gt=0, lt=1, description="Precision that the threshold of each class is fitted for."
    )


class _Environment(EnvSettingsSource):
    """``TIDZAM_*``; an empty path counts as not set, as shells leave it behind: the file's setting holds."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        value, key, is_complex = super().get_field_value(field, field_name)
        return (None if value == "" and field_name in ("home", "archive") else value), key, is_complex


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
    archive: _PathOrNone = Field(
        None, description="Folder of recordings; archive/ in the home unless told otherwise."
    )
    model_server: ModelServerSettings = Field(default_factory=ModelServerSettings)
    dagster: DagsterSettings = Field(default_factory=DagsterSettings)
    tree: TreeSettings = Field(default_factory=TreeSettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)
    gate: GateSettings = Field(default_factory=GateSettings)
    decision: DecisionSettings = Field(default_factory=DecisionSettings)

    @field_validator("home", mode="before")
    @classmethod
    def _not_empty(cls, home: Any) -> Any:
        return _default_home() if home == "" else home

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()

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
    def tensorboard_folder(self) -> Path:
        """TensorBoard logs, one folder a training."""
        return self.home / "tensorboard"

    @property
    def logs_folder(self) -> Path:
        """Logs of the processes that we start."""
        return self.home / "logs"

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
            or ``TIDZAM_CONFIG`` names no file.
    """
    require_known_variables(Settings, os.environ)
    _require_config_file()
    try:
        return Settings(**{key: value for key, value in options.items() if value is not None})
    except ValidationError as error:
        lines = "\n".join(
            f"  {'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()
        )
        raise SettingsError(
            f"settings are wrong (in {config_file()}, TIDZAM_* or options):\n{lines}"
        ) from error
    except (OSError, ValueError) as error:  # ValueError: the TOML parser's error
        raise SettingsError(f"{config_file()} cannot be read: {error}") from error


def _require_config_file() -> None:
    file = config_file()
    if file.is_dir():
        raise SettingsError(f"{file} is a folder: settings are read from a TOML file")
    if os.environ.get(CONFIG_FILE_VARIABLE) and not file.exists():
        raise SettingsError(
            f"{CONFIG_FILE_VARIABLE} names {file}, which is not there: mend the path, or unset it"
        )
