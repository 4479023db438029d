"""Sending windows with a shadow: the client and its recorder together, and recordings that a canary hears too."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Final

import numpy as np
import numpy.typing as npt

from serving.client import ModelClient, Prediction, Route
from serving.shadow.comparison import Disagreement
from serving.shadow.origins import WindowOrigin, origins_key
from serving.shadow.recorder import ShadowRecorder
from serving.signature import ModelDescription
from tidzam_platform.audio import Window
from tidzam_platform.catalog import Catalog
from tidzam_platform.settings import Settings

_MOST_PENDING: Final = 4  # batches; a file waits here for the canary, so that it hears all of its share
_LOOK_S: Final = 0.01


@contextmanager
def open_shadowing_client(
    settings: Settings,
    share: float,
    *,
    address: str | None = None,
    on_disagreement: Callable[[Disagreement], None] = lambda _disagreement: None,
) -> Iterator[ModelClient]:
    """A client whose windows, of a share of the requests, the canary hears too; what both say is recorded.

    The streamer's analyzer uses it as ``analyze --shadow`` does: open it once, and give ``predict`` a key that
    ``origins_key`` makes of channel and start of each window. The stable generation answers; the canary is asked in
    the background, and what it cannot keep up with is dropped and counted (``client.counts``).

    Args:
        settings: sections model_server and decision; the catalog.
        share: of the requests, in [0, 1], chosen by their keys.
        address: of the model server; that of the settings by default.
        on_disagreement: told of each window for which both decided differently; must neither wait nor raise.

    Raises:
        CatalogError: the catalog cannot be opened, or, at the end, not be written.
        SettingsError: the share is not in [0, 1].
    """
    server = settings.model_server
    route = Route.shadow(share)
    # Closed from the last to the first: when no pair comes any more the recorder writes the rest.
    with (
        closing(Catalog.open(settings.catalog_url)) as catalog,
        ShadowRecorder(
            catalog,
            settings.decision,
            lambda version: client.describe(version),  # noqa: PLW0108 - the client is made below
            on_disagreement=on_disagreement,
        ) as recorder,
        ModelClient(
            address or f"{server.host}:{server.port}",
            deadline_s=server.deadline_s,
            max_message_mb=server.max_message_mb,
            route=route,
            on_pair=recorder,
        ) as client,
    ):
        yield client


def wait_for_shadow(client: ModelClient, timeout_s: float, at_most: int = 0) -> bool:
    """Wait until at most so many batches wait for the canary; False if more still do after ``timeout_s``."""
    end_s = time.monotonic() + timeout_s
    while client.counts.shadow_pending > at_most:
        if time.monotonic() >= end_s:
            return False
        time.sleep(_LOOK_S)
    return True


class ShadowedRecording:
    """A ``serving.analysis.Model`` for one file: tells where each window was, and waits for a canary that is slower.

    Live audio cannot wait, a file can: so the canary hears its whole share of it.

    Args:
        client: with a shadow.
        name: of the file, for the list of disagreements.
        patience_s: longest wait for the canary before a batch; then the batch is sent, and may be dropped.
    """

    def __init__(self, client: ModelClient, name: str, patience_s: float) -> None:
        self._client, self._name, self._patience_s = client, name, patience_s
        self._rate_hz = 1

    def describe(self) -> ModelDescription:
        """As the client."""
        description = self._client.describe()
        self._rate_hz = description.rate_hz
        return description

    def predict(self, audio: npt.NDArray[np.float32]) -> Prediction:
        """As the client."""
        return self._client.predict(audio)

    def predict_windows(self, windows: Sequence[Window]) -> Prediction:
        """As the client, with the origins of the windows as the key."""
        wait_for_shadow(self._client, self._patience_s, _MOST_PENDING)
        key = origins_key(
            [
                WindowOrigin(f"{self._name}:{channel}", f"{window.start_frame / self._rate_hz:.3f} s")
                for window in windows
                for channel in range(1, len(window.samples) + 1)
            ]
        )
        return self._client.predict_windows(windows, key=key)
