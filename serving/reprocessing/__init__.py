"""Reprocessing: a past range of days of a source heard again with a generation, recording by recording.

``plan`` says which recordings there are and what audio is missing; an ``Engine`` hears them in any order, on any number
of processes or machines, each into a part file of the store; ``reprocess`` merges the parts into the detections of each
day. Whatever is killed, the next call goes on from the parts and ends with the same bytes.
"""

from serving.reprocessing.engines import Engine
from serving.reprocessing.items import RecordingItem, WorkerTask
from serving.reprocessing.plan import Plan, plan
from serving.reprocessing.run import Reprocessed, reprocess

__all__ = ["Engine", "Plan", "RecordingItem", "Reprocessed", "WorkerTask", "plan", "reprocess"]
