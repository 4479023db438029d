"""The gate: what a generation must show before it may be served. Evidence in, verdict out; nothing is read or written.

::

    evidence        what is known of the candidate, of the generation in service and of the best ever promoted
    finding         what one part says, and the verdict
    judging         all parts, one after the other
    not_inferior    the rule by which two generations are compared
    clips           macro-F1 on the frozen clips
    class_falls     each class by itself, or with its siblings
    recordings      labelled recordings of the site
    alarms          false alarms on audio that holds noise only
    shadow          the same recent windows, heard by both
    calibration     whether confidences mean what they say
    latency         whether it is quick enough for the channels in use
    counting        counts of answers by group of clips
    scores          what a generation says of a frozen set, kept in the store and the catalog

``serving.gate_evidence`` gathers the evidence; docs/gate.md explains each rule.
"""

from tidzam_platform.classifiers.gate.evidence import (
    ClipAnswer,
    Evidence,
    ShadowEvidence,
    System,
    TestChannel,
    TestClip,
)
from tidzam_platform.classifiers.gate.finding import Finding, Verdict
from tidzam_platform.classifiers.gate.judging import PARTS, judge

__all__ = [
    "PARTS",
    "ClipAnswer",
    "Evidence",
    "Finding",
    "ShadowEvidence",
    "System",
    "TestChannel",
    "TestClip",
    "Verdict",
    "judge",
]
