"""Shadow and canary: what the canary says of windows that the stable generation answers, compared (docs/shadow.md).

For whoever sends windows it is two lines::

    with open_shadowing_client(settings, share=0.1) as client:
        client.predict(audio, key=origins_key([WindowOrigin("site:out_1", "2026-04-01T05:00:00.500Z"), ...]))

That is a ``ModelClient`` as any other: the stable generation answers, and nobody waits for the canary.
"""

from __future__ import annotations

from serving.shadow.clients import ShadowedRecording, open_shadowing_client, wait_for_shadow
from serving.shadow.origins import WindowOrigin, origins_key
from serving.shadow.recorder import ShadowRecorder
from serving.shadow.report import shadow_report

__all__ = [
    "ShadowRecorder",
    "ShadowedRecording",
    "WindowOrigin",
    "open_shadowing_client",
    "origins_key",
    "shadow_report",
    "wait_for_shadow",
]
