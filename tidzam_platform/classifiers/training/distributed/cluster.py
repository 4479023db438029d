"""The cluster of TensorFlow that several workers train in.

TensorFlow waits for a worker an hour, and its own health check waits for ever. So both are switched off here, and
``wait_for_all`` and ``HealthWatch`` take their place. The switches are not public: they hold for the version in
constraints.txt, and the tests of two workers fail where they no longer do.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

from tidzam_platform.classifiers.backend import load_tensorflow, silent_stderr
from tidzam_platform.errors import TrainingError

_NO_PROXY: Final = "no_grpc_proxy"


def unused_context() -> Any:
    """TensorFlow's context, in which nothing was computed yet.

    Raises:
        TrainingError: something was.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # the loss of a worker is ours to tell
    load_tensorflow(start_devices=False)
    from tensorflow.python.eager import context as tensorflow_context

    context = tensorflow_context.context()
    if context._initialized:  # noqa: SLF001 - see above
        raise TrainingError(
            "TensorFlow computes in this process already, and several workers must meet before: "
            "start each by a command of its own (docs/classifiers.md)"
        )
    return context


def form_cluster(context: Any, workers: Sequence[str], index: int, devices: int) -> Any:
    """Start this worker's server, and give the ``tf.distribute`` strategy of all; waits for nobody.

    Args:
        context: as ``unused_context`` gave it.
        workers: host:port of all, the leading one first.
        index: which one this process is.
        devices: GPUs that this one takes.

    Raises:
        TrainingError: it has not so many, or the server cannot listen at the address.
    """
    tf = load_tensorflow(start_devices=False)
    from tensorflow.python.distribute.collective_all_reduce_strategy import CollectiveAllReduceExtended

    _pass_proxies_by(workers)
    _take_devices(tf, devices)
    context.configure_coordination_service(service_type="")
    CollectiveAllReduceExtended._enable_check_health = False  # noqa: SLF001 - see above
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(workers)}), task_type="worker", task_id=index, rpc_layer="grpc"
    )
    try:
        with silent_stderr():
            return tf.distribute.MultiWorkerMirroredStrategy(resolver)
    except (tf.errors.OpError, RuntimeError) as error:
        raise TrainingError(
            f"worker {index} cannot listen at {workers[index]} ({str(error).splitlines()[0]}): "
            "end what uses the port, or mend training.workers and training.worker"
        ) from error


def _take_devices(tf: Any, devices: int) -> None:
    """All GPUs of a machine would be taken otherwise."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus and len(gpus) < devices:
        raise TrainingError(
            f"training.devices is {devices}, and this machine has {len(gpus)} GPU(s): lower it"
        )
    if not gpus and devices > 1:
        raise TrainingError(
            f"training.devices is {devices}, and this machine has no GPU: a worker without one has one device; "
            "set it to 1"
        )
    tf.config.set_visible_devices(gpus[:devices], "GPU")


def _pass_proxies_by(workers: Sequence[str]) -> None:
    """A proxy for web pages is none for workers; gRPC takes it from the environment."""
    known = os.environ.get(_NO_PROXY) or os.environ.get("no_proxy") or ""
    hosts = [address.rpartition(":")[0].strip("[]") for address in workers]
    os.environ[_NO_PROXY] = ",".join([*filter(None, [known]), *dict.fromkeys(hosts)])
