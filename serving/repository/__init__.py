"""The model repository: versions on disk, signed; the labels stable and canary; what model servers read.

``models/tidzam/<version>/`` holds one SavedModel each and nothing else stands beside those folders;
``models/serving/`` holds labels, history and the configuration files of TensorFlow Serving; what is being written
or removed lies in ``models/.partial/`` on the same file system until one rename makes it whole, or after one
rename took it away.
"""

from serving.repository.change import Change
from serving.repository.repository import ModelRepository
from serving.signature import CANARY, STABLE

__all__ = ["CANARY", "STABLE", "Change", "ModelRepository"]
