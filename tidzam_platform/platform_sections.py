"""Sections of the settings for the data platform: Dagster, reprocessing, learning, the store."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from tidzam_platform.setting_sections import PathOrNone, Section


class DagsterSettings(Section):
    """Where the Dagster web server listens, and what the data platform does by itself (docs/dagster.md)."""

    host: str = Field("127.0.0.1", description="Address the Dagster web server listens on.")
    port: int = Field(3000, ge=0, le=65535, description="Port of the Dagster web server; 0 takes a free one.")
    first_day: date = Field(
        date(2014, 1, 1), description="First day (UTC) that is a partition; later ones keep the pages quick."
    )
    max_runs: int = Field(4, ge=2, le=1000, description="Runs at the same time; further ones wait.")
    training_runs: int = Field(1, ge=1, le=1000, description="Of these, runs that train at the same time.")
    reprocessing_runs: int = Field(
        1, ge=1, le=1000, description="Of these, runs that hear days of the archive at the same time."
    )
    retrain_cron: str = Field(
        "0 3 * * 1",
        pattern=r"^\S+( \S+){4}$",
        description="When the schedule `retraining` makes a generation (cron, UTC): Mondays at 3.",
    )
    database_url: str = Field(
        "",
        pattern=r"^(postgresql://\S+)?$",
        description="PostgreSQL for Dagster's own runs and events; empty: SQLite in the home (docs/cluster.md).",
    )
    ray_jobs: str = Field(
        "",
        pattern=r"^((https?|ray)://[^@\s]+)?$",
        description="Ray's job server, e.g. http://127.0.0.1:8265: runs are jobs there; empty: processes of this "
        "machine.",
    )
    ray_cpus: int = Field(1, ge=1, le=1024, description="Processors that a run asks of the Ray cluster.")
    ray_gpus: float = Field(
        0.0, ge=0, le=1024, description="GPUs that a job which trains asks of the Ray cluster."
    )
    new_labels: int = Field(
        100,
        ge=1,
        description="So many labels since the last training let the sensor `enough_new_labels` train.",
    )
    failure_webhook_file: PathOrNone = Field(
        None,
        description="File with the URL to which each failed run is told as JSON; the log tells it anyway.",
    )
    backup_place: PathOrNone = Field(
        None, description="Where the schedule `nightly_backup` backs up to: a folder or a file."
    )


class LearningSettings(Section):
    """What is put before people to be labelled."""

    queue: int = Field(200, ge=1, le=1000, description="Entries of the queue that a generation makes.")
    candidates: int = Field(
        2000, ge=1, le=4000, description="Unlabelled clips that are ranked; of more, so many are drawn."
    )
    archive_windows: int = Field(
        200,
        ge=0,
        le=1000,
        description="Detections of the archive that are ranked beside them; 0: clips only.",
    )


class ReprocessingSettings(Section):
    """How past days are heard again."""

    engine: Literal["local", "ray"] = Field(
        "local", description="Where recordings are heard: processes of this machine, or a Ray cluster."
    )
    processes: int = Field(
        0, ge=0, le=1024, description="Processes of the engine `local`; 0: one a processor."
    )
    stall_s: float = Field(
        300.0, gt=0, description="A process that gets no further for so long is ended; another tries again."
    )
    ray_address: str = Field(
        "127.0.0.1:6379",
        pattern=r"^(ray://)?[^@/\s]+:[0-9]{1,5}$",
        description="Where the head of the Ray cluster is, for the engine `ray`: host:port where this machine is a "
        "node, else ray://host:port.",
    )
    ray_cpus: float = Field(
        1.0, gt=0, le=1024, description="Processors that a recording asks of a node, with the engine `ray`."
    )
    ray_gpus: float = Field(
        0.0,
        ge=0,
        le=1024,
        description="GPUs that a recording asks of a node, with the engine `ray`; 0.5: half of one.",
    )


class S3Settings(Section):
    """How the object store on S3 is asked; secrets stand elsewhere (docs/store.md)."""

    endpoint_url: str = Field(
        "",
        pattern=r"^(https?://[^@\s]+)?$",
        description="URL of the S3 server, e.g. https://s3.example.org; empty: Amazon's.",
    )
    region: str = Field("", description="Region of the bucket; empty: what boto3 finds, else us-east-1.")
    addressing: Literal["auto", "path", "virtual"] = Field(
        "auto",
        description="Where the bucket stands in URLs: in the path, or in the host's name; auto: in the path where "
        "endpoint_url is set.",
    )
    connect_timeout_s: float = Field(5.0, gt=0, le=600, description="How long one connection may take.")
    read_timeout_s: float = Field(30.0, gt=0, le=600, description="How long the server may be silent.")
    attempts: int = Field(
        4, ge=1, le=20, description="How often one request is tried in all, with growing pauses between."
    )
    cache_mb: int = Field(
        2048, ge=0, description="Disk space in the home for files of objects that were read; 0 keeps none."
    )
