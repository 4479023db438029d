"""How long things are kept (settings ``retention.*``), and removing what is older.

::

    report = run(home, apply=False)     # what would go, and why
    report = run(home, apply=True)      # removes it; every removal stands in the audit

Never removed: clips that anybody labelled, that a dataset version or a test set names, or that are queued for
labelling; recordings that people labelled; generations that serve, have a label, or could be rolled back to.
"""

from tidzam_platform.retention.policy import Outcome, Work
from tidzam_platform.retention.running import RetentionReport, run

__all__ = ["Outcome", "RetentionReport", "Work", "run"]
