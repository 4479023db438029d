"""The sections of the settings, each an object of its own; ``tidzam_platform.settings`` puts them together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

# An empty path would be the folder that one happens to stand in.
PathOrNone = Annotated[Path | None, BeforeValidator(lambda value: None if value == "" else value)]


class Section(BaseModel):
    """Base of every section: unknown names are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class BatchingSettings(Section):
    """How the model server joins windows of many requests; names and meanings are TensorFlow Serving's."""

    max_batch_size: int = Field(64, ge=1, description="Most windows that the model judges at once.")
    batch_timeout_micros: int = Field(
        0, ge=0, description="How long a batch that is not full waits for more windows, in microseconds."
    )
    max_enqueued_batches: int = Field(
        8, ge=1, description="Full batches that may wait; later requests are refused as UNAVAILABLE."
    )
    num_batch_threads: int = Field(2, ge=1, description="Batches that run at the same time.")


class ModelServerSettings(Section):
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
    rest_port: int = Field(
        8501, ge=0, le=65535, description="REST port of the model server; 0 takes a free one."
    )
    batching: BatchingSettings = Field(default_factory=BatchingSettings)


class GatewaySettings(Section):
    """Where the HTTP gateway listens, and how much it takes."""

    host: str = Field(
        "127.0.0.1", description="Address the HTTP gateway listens on; loopback unless told otherwise."
    )
    port: int = Field(8502, ge=0, le=65535, description="Port of the HTTP gateway; 0 takes a free one.")
    allowed_hosts: tuple[str, ...] = Field(
        (),
        description="Names by which it may be called in the Host header, beside localhost and addresses in numbers.",
    )
    max_upload_mb: int = Field(100, ge=1, le=2047, description="Largest upload.")
    max_audio_s: float = Field(3600.0, gt=0, description="Longest audio in an upload.")
    max_channels: int = Field(32, ge=1, le=255, description="Most channels in an upload.")
    max_concurrent: int = Field(
        2, ge=1, le=64, description="Uploads heard at the same time; more are told to come again (503)."
    )
    max_connections: int = Field(32, ge=1, le=1000, description="Open connections; more wait to be accepted.")
    deadline_s: float = Field(120.0, gt=0, description="How long one upload may be worked on.")
    receive_s: float = Field(300.0, gt=0, description="How long one request may take to arrive.")
    species_table: PathOrNone = Field(
        None, description="TOML or CSV file of the species of JibJib's API; the served classes otherwise."
    )
    pooling_power: Literal[2, 3] = Field(
        2, description="JibJib's answer is the sum of the scores of all windows, each to this power."
    )


class ModelRepositorySettings(Section):
    """What becomes of generations in the model repository."""

    after_gate: Literal["stable", "canary", "nothing"] = Field(
        "stable",
        description="What a generation that passed the gate becomes: stable (it serves), canary (tried beside the "
        "stable one), or nothing. The first one of all becomes stable.",
    )
    keep: int = Field(
        10, ge=0, description="How many generations without a label `generation collect` keeps, the newest."
    )


class AugmentationSettings(Section):
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


class TrainingSettings(Section):
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


class TreeSettings(Section):
    """What hears: the tree of experts and its front end."""

    shape: Literal["by_parent", "flat"] = Field(
        "by_parent",
        description="by_parent: a selector, and an expert for the classes below each of its classes; "
        "flat: one expert for all classes.",
    )
    file: PathOrNone = Field(None, description="TOML file that describes the tree instead of `shape`.")
    labels: Literal["single", "multi"] = Field(
        "single",
        description="single: one class sounds in a clip; multi: any number may. What `file` says goes before.",
    )
    front_end: str = Field("default", description="Name of the front end: default, tidzam, nordby or vggish.")


class GateSettings(Section):
    """What a generation must show before it is served; docs/gate.md explains each part."""

    min_macro_f1: float = Field(0.3, ge=0, le=1, description="Least macro-F1 on the frozen test clips.")
    margin: float = Field(
        0.01,
        ge=0,
        le=1,
        description="How far macro-F1 may lie below that of the generation in service, and of the best ever promoted.",
    )
    class_margin: float = Field(
        0.1,
        ge=0,
        le=1,
        description="How far the F1 of one class may lie below that in the generation in service.",
    )
    min_class_clips: int = Field(
        30, ge=1, description="A class with fewer test clips is judged together with its siblings."
    )
    recordings_margin: float = Field(
        0.05, ge=0, le=1, description="As margin, for segments of labelled recordings of the site."
    )
    max_false_alarms_per_hour: float = Field(
        0.0,
        ge=0,
        description="Most false alarms per hour of noise-only audio; 0: only that they do not rise.",
    )
    max_ece: float = Field(
        0.35, ge=0, le=1, description="Largest expected calibration error on the frozen test clips."
    )
    ece_margin: float = Field(
        0.05, ge=0, le=1, description="How far that may lie above the one of the generation in service."
    )
    min_calibration_clips: int = Field(
        100, ge=1, description="With fewer test clips calibration is shown, not judged."
    )
    shadow_windows: int = Field(
        2000,
        ge=0,
        description="Windows of the newest recordings that candidate and generation in service both hear; 0: none.",
    )
    max_disagreement: float = Field(
        1.0, ge=0, le=1, description="Share of recent windows that may be decided otherwise; 1: any."
    )
    channels: int = Field(
        0,
        ge=0,
        description="Channels that it must be quick enough for; 0: as many as the sources in the catalog have.",
    )
    headroom: float = Field(
        2.0, ge=1, description="How many times as many windows as arrive it must judge in a second."
    )
    compared_promoted: int = Field(
        3, ge=0, description="Of how many generations that were promoted once the best is looked for."
    )


class EventSettings(Section):
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


class DecisionSettings(Section):
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
