"""Making a generation from the command line: the Dagster job, its progress, and whether it is served."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import select

from assets.jobs import MAKE_GENERATION
from assets.running import run_job
from serving.client import ModelClient
from serving.repository import ModelRepository
from tidzam_platform.catalog.generations import get_generation
from tidzam_platform.catalog.tables import DatasetVersion, Generation
from tidzam_platform.errors import ModelServerDeadlineError, ModelServerUnavailableError
from tidzam_platform.home import Home
from tidzam_platform.operations.ports import join_address

SERVED_TIMEOUT_S: Final = 60.0  # a model server that runs looks every second, and loads in a few


def run_generation(
    home: Home,
    version: str | None,
    say: Callable[[str], None],
    *,
    expert: str = "",
    base: int = 0,
) -> dict[str, Any]:
    """Run the job from a dataset version (None: the labels as they are now) to the model repository.

    Returns:
        ``generation``, ``dataset``, ``evaluation``, ``gate`` and ``saved_model``, as --json shows them.

    Raises:
        GateRefusedError: the generation is not good enough; nothing was exported.
    """
    config = {
        "dataset": {"config": {"version": version or ""}},
        "classifier": {"config": {"expert": expert, "base": base}},
    }
    with progress_to(say):
        result = run_job(home.settings, MAKE_GENERATION, config=config)
    made = get_generation(home.catalog, result.output_for_node("generation"))
    with home.catalog.reading() as session:
        dataset = session.get_one(DatasetVersion, made.dataset_version)
    return {
        "generation": made.number,
        "dataset": {"version": dataset.version, "clips": dataset.clips},
        "evaluation": {key: value for key, value in made.evaluation.items() if key != "epochs"},
        "gate": {name: value for name, value in made.manifest["gate"].items() if name != "verdict"},
        "saved_model": str(home.settings.models_folder / "tidzam" / str(made.number)),
    }


def why_not_served(home: Home, number: int, *, address: str = "", timeout_s: float = SERVED_TIMEOUT_S) -> str:
    """Empty if a model server answers with this generation of this home; else why not, in words.

    Args:
        home: whose generation it is; homes number theirs independently, so the dataset version must be the same too.
        number: the generation.
        address: of the model server; that of the settings by default.
        timeout_s: time to load it for a server that runs.

    Raises:
        ModelServerError: the server could not load it, or is none of ours.
    """
    settings = home.settings.model_server
    address = address or join_address(settings.host, settings.port)
    with ModelClient(address, deadline_s=settings.deadline_s) as client:
        try:
            # No server, or one of another home: say so at once instead of waiting.
            if "AVAILABLE" in client.status().values() and (words := _whose(home, client, address)):
                return words
        except (ModelServerUnavailableError, ModelServerDeadlineError):
            return f"no model server answers at {address}: start it with ./tidzam serve"
        if number not in ModelRepository(home.settings.models_folder).labels().values():
            return (
                f"generation {number} has no label: put it into service with ./tidzam generation promote {number} "
                "(model_repository.after_gate says what the gate does by itself)"
            )
        try:
            client.wait_until_available(number, timeout_s)
        except ModelServerDeadlineError as error:
            return f"{error}; if it is a server of another home, stop it and start ./tidzam serve"
        if words := _whose(home, client, address):
            return words
        served = client.describe().generation
    if served == number:
        return ""
    return f"the model server at {address} has generation {served} in service, not {number}"


def _whose(home: Home, client: ModelClient, address: str) -> str:
    """Empty if what the server has in service is a generation of this home; else words that say whose it is."""
    description = client.describe()
    with home.catalog.reading() as session:
        query = select(Generation.dataset_version).where(Generation.number == description.generation)
        ours = session.scalar(query)
    if ours == description.dataset_version:
        return ""
    return (
        f"the model server at {address} serves another home: its generation {description.generation} was made of "
        f"dataset {description.dataset_version}, "
        + (f"ours of {ours}" if ours else "and there is none of that number here")
        + "; stop it, or give one of the two another port (TIDZAM_MODEL_SERVER__PORT)"
    )


@contextmanager
def progress_to(say: Callable[[str], None]) -> Iterator[None]:
    """Give what assets log of their progress to ``say``."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            say(record.getMessage())

    logger, handler = logging.getLogger("tidzam"), Handler()
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
