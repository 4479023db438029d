"""What is said when a worker is lost."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence

from tidzam_platform.classifiers.backend import load_tensorflow
from tidzam_platform.errors import TrainingError

_OTHER_TASK = re.compile(r"remote target /job:worker/replica:0/task:(\d+)")


@contextlib.contextmanager
def lost_worker_told(workers: Sequence[str]) -> Iterator[None]:
    """Turn what TensorFlow raises when another of ``workers`` is gone into a TrainingError."""
    errors = load_tensorflow(start_devices=False).errors
    try:
        yield
    except (
        errors.AbortedError,
        errors.CancelledError,
        errors.DeadlineExceededError,
        errors.FailedPreconditionError,
        errors.UnavailableError,
    ) as error:
        raise TrainingError(
            f"{_who(str(error), workers)} of this training is gone, or does not go on: end the others, and start all "
            "workers again; training goes on from the last epoch that ended"
        ) from error


def _who(message: str, workers: Sequence[str]) -> str:
    """The worker that an error names; the others are told first by whichever notices first."""
    for number, address in enumerate(workers):
        if f"worker {address} " in message:
            return f"worker {number} ({address})"
    if (match := _OTHER_TASK.search(message)) and int(match[1]) < len(workers):
        return f"worker {match[1]} ({workers[int(match[1])]})"
    return "another worker"
