"""Generations in the model repository."""

from __future__ import annotations

import dagster as dg

from serving.publishing import publish_generation
from tidzam_platform.home import Home


@dg.asset(group_name="serving", kinds={"tensorflow"}, owners=["team:model-owners"])
def generation(classifier: int) -> dg.Output[int]:
    """The candidate that passed the gate, exported as a SavedModel; a running model server picks it up by itself."""
    home = Home.open()
    folder = publish_generation(home, classifier)
    return dg.Output(
        classifier,
        metadata={"generation": classifier, "saved_model": dg.MetadataValue.path(str(folder))},
        data_version=dg.DataVersion(str(classifier)),
    )
