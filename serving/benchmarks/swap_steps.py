"""Single swaps, and the two that must fail: asked for, and waited for until the server has followed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection
from typing import Any, Final, TypeVar

import grpc

from serving.benchmarks.load import DEADLINE_S
from serving.benchmarks.swap_traffic import states
from serving.benchmarks.swap_versions import Versions
from serving.repository import STABLE, ModelRepository
from serving.signature import MODEL_NAME
from tidzam_platform.errors import ModelRepositoryError, ModelServerError

_BY: Final = "bench swap"
_SWAP_S: Final = 120.0
_LOOK_S: Final = 0.05

Answer = TypeVar("Answer")


class Swaps:
    """What is asked of repository and server; after ``follow`` each method returns when the server has followed."""

    def __init__(self, repository: ModelRepository, versions: Versions) -> None:
        self._repository, self._versions = repository, versions
        self._stub: Any = None

    def label_first(self) -> None:
        """Promote the oldest and then the base version; no server need be there."""
        for version in (self._versions.oldest, self._versions.base):
            self._repository.promote(version, by=_BY, reason="where the swaps begin")

    def follow(self, stub: Any) -> None:
        """From now on ask the server behind ``stub`` (a ModelService) what it holds."""
        self._stub = stub
        self.wait_for({self._versions.oldest, self._versions.base})

    def swap(self, number: int) -> None:
        """Swap number 0, 2, ... promotes one of the newer versions, 1, 3, ... rolls back to the base."""
        names = self._versions
        if number % 2:
            self._repository.rollback(by=_BY, reason=f"swap {number}")
            self.wait_for({names.oldest, names.base})
        else:
            version = names.newer[number // 2 % len(names.newer)]
            self._repository.promote(version, by=_BY, reason=f"swap {number}")
            self.wait_for({names.base, version})

    def ask_for_corrupt(self) -> dict[str, str]:
        """Ask the repository, then the server, for the corrupt version; what each said."""
        from tensorflow_serving.apis import model_management_pb2

        corrupt = self._versions.corrupt
        said = {}
        try:
            self._repository.promote(corrupt, by=_BY, reason="to be refused")
        except ModelRepositoryError as error:
            said["promote"] = str(error)
        else:
            raise ModelServerError(f"version {corrupt}, which is damaged, was promoted")
        request = model_management_pb2.ReloadConfigRequest()
        model = request.config.model_config_list.config.add(
            name=MODEL_NAME, base_path=str(self._repository.base_path), model_platform="tensorflow"
        )
        model.model_version_policy.specific.versions.extend((self._versions.base, corrupt))
        model.version_labels[STABLE] = corrupt
        try:
            self._stub.HandleReloadConfigRequest(request, timeout=_SWAP_S)
        except grpc.RpcError as error:
            said["reload"] = f"{error.code().name}: {error.details()}"
        else:
            raise ModelServerError(f"the server took up version {corrupt}, which is damaged")
        self.wait_for({self._versions.oldest, self._versions.base})
        return said

    def ask_for_unfit(self) -> dict[str, str]:
        """Promote the version whose warm-up fails, wait until the server has tried, and roll back; what it said."""
        unfit = self._versions.unfit
        self._repository.promote(unfit, by=_BY, reason="to fail")
        said = _wait(lambda: self._error_of(unfit), f"the server to try version {unfit}")
        self._repository.rollback(by=_BY, reason="its warm-up failed")
        self.wait_for({self._versions.oldest, self._versions.base})
        return {"load": said}

    def wait_for(self, wanted: Collection[int]) -> None:
        """Wait until exactly these versions are held, all of them AVAILABLE."""

        def is_so() -> bool:
            held = {v: state for v, state in states(self._stub).items() if state != "END"}
            return held == dict.fromkeys(wanted, "AVAILABLE")

        _wait(is_so, f"versions {sorted(wanted)} to be served")

    def _error_of(self, version: int) -> str:
        from tensorflow_serving.apis import get_model_status_pb2

        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = MODEL_NAME
        request.model_spec.version.value = version
        with contextlib.suppress(grpc.RpcError):  # it has not met the version yet
            (status,) = self._stub.GetModelStatus(request, timeout=DEADLINE_S).model_version_status
            return str(status.status.error_message)
        return ""


def _wait(look: Callable[[], Answer], what: str) -> Answer:
    end_s = time.monotonic() + _SWAP_S
    while not (answer := look()):
        if time.monotonic() > end_s:
            raise ModelServerError(f"waited {_SWAP_S:.0f} s for {what}: see the server's log")
        time.sleep(_LOOK_S)
    return answer
