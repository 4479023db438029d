"""Lineage: why a class was heard, from a detection back to the labels behind it.

A detection names its generation; the generation's manifest names the dataset version, weights and code of each expert;
the dataset version names clips, and the catalog says who said what of them.

Public names:
    Subject, find_subject         what is asked about: a detection, or an answer that is stored nowhere
    ServiceChange, Service        what the model repository says of a generation; ``serving.lineage`` reads it
    trace, Lineage                from a subject to everything behind it
"""

from tidzam_platform.lineage.behind import Behind
from tidzam_platform.lineage.generation_facts import GenerationFacts, Service, ServiceChange
from tidzam_platform.lineage.subject import Subject, find_subject
from tidzam_platform.lineage.tracing import MAX_CLIPS, ExpertStep, Lineage, trace

__all__ = [
    "MAX_CLIPS",
    "Behind",
    "ExpertStep",
    "GenerationFacts",
    "Lineage",
    "Service",
    "ServiceChange",
    "Subject",
    "find_subject",
    "trace",
]
