"""``./tidzam tensorboard``: TensorBoard on the logs of the trainings."""

from __future__ import annotations

import sys
from typing import Final

import click

from tidzam_platform.cli.output import print_line, remarks
from tidzam_platform.errors import ProcessError
from tidzam_platform.operations.termination import sigterm_like_ctrl_c
from tidzam_platform.settings import load_settings

_HOST: Final = "127.0.0.1"  # TensorBoard asks nobody for a password
_PORT: Final = 6006  # TensorBoard's own
_START_TIMEOUT_S: Final = 120.0  # it imports TensorFlow; training beside it can take the processor
# It draws and never computes: a GPU is left to those who train.
_ENVIRONMENT: Final = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}


@click.command(
    epilog="""\b
Examples:
  ./tidzam tensorboard                         open http://127.0.0.1:6006 in a browser
  ./tidzam tensorboard --port 0                take a free port and say which
  ssh -L 6006:127.0.0.1:6006 HOST              from elsewhere, while it runs on HOST
"""
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=_PORT,
    show_default=True,
    help="Port to listen on, 0 for a free one.",
)
@sigterm_like_ctrl_c()
def tensorboard(port: int) -> None:
    """Start TensorBoard on the logs of the newest trainings, those that run included.

    It listens on loopback only and runs in the foreground until Ctrl-C or SIGTERM. Each training is a folder named
    by its fingerprint: losses and learning rate by epoch, figures of the test side, confusion matrix, reliability
    diagram, weights, feature maps, the graph, and embeddings of test clips.
    """
    from tidzam_platform.home import make_home_folder
    from tidzam_platform.operations.child_process import ChildProcess, watch
    from tidzam_platform.operations.ports import free_port, is_free

    settings = load_settings()
    make_home_folder(settings.home)
    folder = settings.tensorboard_folder
    folder.mkdir(exist_ok=True)
    if not any(folder.iterdir()):
        remarks.print(
            f"no training has written logs into {folder} yet; they appear as ./tidzam generation run trains"
        )
    port = port or free_port(_HOST)
    if not is_free(_HOST, port):
        raise ProcessError(
            f"TensorBoard cannot listen on {_HOST}:{port}: the port is in use; stop what uses it, or choose another "
            "(./tidzam tensorboard --port, 0 for any)"
        )
    command = [
        sys.executable,
        "-m",
        "tensorboard.main",
        "--logdir",
        str(folder),
        "--host",
        _HOST,
        "--port",
        str(port),
    ]
    log_file = settings.logs_folder / "tensorboard.log"
    with ChildProcess("TensorBoard", command, log_file, _ENVIRONMENT) as process:
        process.wait_until_listening(port, _START_TIMEOUT_S)
        print_line(f"TensorBoard answers at http://{_HOST}:{port}")
        watch([process])
