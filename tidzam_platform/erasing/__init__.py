"""Erasing what was heard of people: their stretches of recordings become silence, clips of them go.

::

    plan = plan_erasing(home, ErasingRequest("human", "marsh", since, until))     # what would go
    report = erase(home, plan, by="ann", reason="asked for by ...")               # does it; in the audit: audio.erase

Annotations and detections stay: they say when somebody was heard, and hold no audio.
"""

from tidzam_platform.erasing.applying import ErasingReport, erase
from tidzam_platform.erasing.planning import ErasingPlan, ErasingRequest, plan_erasing

__all__ = ["ErasingPlan", "ErasingReport", "ErasingRequest", "erase", "plan_erasing"]
