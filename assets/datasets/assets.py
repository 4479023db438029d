"""Dataset versions."""

import dagster as dg

from assets.metadata import bars, table, versioned
from tidzam_platform.datasets.build import build_dataset, load_manifest, summarise
from tidzam_platform.home import Home


class DatasetConfig(dg.Config):
    """Which dataset version to take."""

    version: str = ""  # empty: built from the labels as they are now


@dg.asset(
    group_name="learning",
    kinds={"parquet"},
    owners=["team:model-owners"],
    code_version="1",
    deps=["clips"],
)
def dataset(config: DatasetConfig) -> dg.Output[str]:
    """An immutable manifest of clips, labels, groups and sides; its value is the version, a hash of the content."""
    home = Home.open()
    version = config.version or build_dataset(home.catalog, home.store).version
    manifest = load_manifest(home.catalog, home.store, version)
    summary = summarise(manifest)
    sides = ("train", "validation", "test")
    return versioned(
        version,
        version,
        {
            "version": version,
            "clips": manifest.clips,
            "groups": summary["groups"],
            "classes": table(
                ["class", *sides],
                [
                    [name, *(counts.get(side, 0) for side in sides)]
                    for name, counts in summary["classes"].items()
                ],
            ),
            "picture": bars(
                {name: sum(counts.values()) for name, counts in summary["classes"].items()}, "clips by class"
            ),
            "not_split": dg.MetadataValue.json(summary["not_split"]),
        },
    )
