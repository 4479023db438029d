"""Generations in the model repository."""

import dagster as dg

from assets.metadata import versioned
from serving.publishing import publish_generation
from tidzam_platform.home import Home


@dg.asset(group_name="serving", kinds={"tensorflow"}, owners=["team:model-owners"])
def generation(classifier: int) -> dg.Output[int]:
    """The candidate that passed the gate, exported as a SavedModel; a running model server picks it up by itself."""
    home = Home.open()
    folder = publish_generation(home, classifier)
    return versioned(
        classifier,
        str(classifier),
        {"generation": classifier, "saved_model": dg.MetadataValue.path(str(folder))},
    )
