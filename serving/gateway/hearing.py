"""What the views share: the settings, the model, the repository, and hearing one upload within all limits."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from serving.analysis import Hearing, Model, hear_file
from serving.gateway.deadline import Deadline
from serving.gateway.limits import AudioLimits, require_within
from serving.gateway.refusals import HttpRefusalError
from serving.gateway.slots import Slots
from serving.prediction import Prediction
from serving.repository import ModelRepository
from serving.signature import ModelDescription
from tidzam_platform.access import TokenStore
from tidzam_platform.audio import Window
from tidzam_platform.errors import SettingsError
from tidzam_platform.files import PARTIAL_FOLDER, remove_leavings
from tidzam_platform.settings import Settings

Gone = Callable[[], bool]


class GatewayCore:
    """One a process. The model server is first asked, and TensorFlow's stubs imported, when a request needs them."""

    def __init__(self, settings: Settings) -> None:
        """Make the token and the spool folder where they are missing; SettingsError where that cannot be done."""
        self.settings = settings
        self.repository = ModelRepository(settings.models_folder)
        self.tokens = TokenStore(settings.home / "secrets")
        self.slots = Slots(settings.gateway.max_concurrent)
        self.spool = settings.home / "spool" / "gateway"
        try:
            self.spool.mkdir(parents=True, exist_ok=True)
            self.spool.chmod(0o700)  # what people send is nobody else's
            remove_leavings(self.spool)
        except OSError as error:
            raise SettingsError(f"uploads cannot be kept in {self.spool}: {error.strerror}") from error
        self._limits = AudioLimits(settings.gateway.max_audio_s, settings.gateway.max_channels)
        self._lock = threading.Lock()
        self._model: Model | None = None
        self._close: Callable[[], None] = lambda: None
        self._upload = re.compile(
            rf"{re.escape(str(self.spool))}/{re.escape(PARTIAL_FOLDER)}/[0-9]+-[0-9a-f]+"
        )

    @property
    def max_upload_bytes(self) -> int:
        """The largest file."""
        return self.settings.gateway.max_upload_mb << 20

    def new_deadline(self) -> Deadline:
        """Of one upload, counted from now."""
        return Deadline(self.settings.gateway.deadline_s)

    def model(self) -> Model:
        """The client of the model server, one for all threads."""
        with self._lock:
            if self._model is None:
                from serving.client import ModelClient

                server = self.settings.model_server
                client = ModelClient(
                    f"{server.host}:{server.port}",
                    deadline_s=server.deadline_s,
                    max_message_mb=server.max_message_mb,
                )
                self._model, self._close = client, client.close
            return self._model

    def close(self) -> None:
        """End the connection to the model server."""
        with self._lock:
            self._close()
            self._model, self._close = None, lambda: None

    def hear(
        self,
        upload: Path,
        deadline: Deadline,
        gone: Gone,
        *,
        through: Callable[[Model], Model] = lambda model: model,
    ) -> Hearing:
        """Hear a file that came from outside.

        Args:
            upload: the file, emptied when the time is over.
            deadline: of the whole request.
            gone: whether the sender has hung up.
            through: puts something between the windows and the model.

        Raises:
            HttpRefusalError: beyond a limit.
            AudioError: the file cannot be used.
            ModelServerError: the model does not answer.
        """
        with deadline.starving(upload):
            require_within(upload, self._limits)
            model = through(_BoundedModel(self.model(), deadline, self._limits, gone))
            return hear_file(upload, model, self.settings.decision)

    def without_paths(self, message: str) -> str:
        """``message`` for people outside: where our folders are is no business of theirs."""
        message = self._upload.sub("the file", message)
        return message.replace(str(self.settings.home), "HOME")


class _BoundedModel:
    """A model that stops answering when the request's time, its seconds of audio or its sender's patience is over."""

    def __init__(self, model: Model, deadline: Deadline, limits: AudioLimits, gone: Gone) -> None:
        self._model = model
        self._deadline = deadline
        self._limits = limits
        self._gone = gone
        self._rate_hz = 1

    def describe(self) -> ModelDescription:
        description = self._model.describe()
        self._rate_hz = description.rate_hz
        return description

    def predict(self, audio: npt.NDArray[np.float32]) -> Prediction:
        return self._model.predict(audio)

    def predict_windows(self, windows: Sequence[Window]) -> Prediction:
        self._deadline.require()
        if self._gone():
            raise HttpRefusalError(499, "gone", "the sender hung up")
        self._limits.require_seconds(windows[-1].start_frame / self._rate_hz)
        return self._model.predict_windows(windows)
