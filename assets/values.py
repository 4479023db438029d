"""What assets hand to each other: small JSON values (a version, a number), never pickles; data lives in the store."""

import json
from pathlib import Path
from typing import Any, Final

import dagster as dg

from tidzam_platform.files import write_whole
from tidzam_platform.settings import load_settings

_KEPT_RUNS: Final = 100  # values of older runs are removed
_LATEST: Final = "latest"


class JsonIOManager(dg.ConfigurableIOManager):
    """Keeps an asset's value by run, and the latest one for runs that begin further down."""

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Write the value, whole or not at all."""
        if obj is None:
            return
        folder = _folder(context)
        data = json.dumps(obj).encode()
        for name in (context.run_id, _LATEST):
            write_whole(folder / f"{name}.json", data)
        by_age = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        for path in by_age[_KEPT_RUNS:]:
            path.unlink(missing_ok=True)

    def load_input(self, context: dg.InputContext) -> Any:
        """The value that this run made, else the latest."""
        folder = _folder(context)
        for name in (context.step_context.run_id, _LATEST):
            path = folder / f"{name}.json"
            if path.exists():
                return json.loads(path.read_bytes())
        raise dg.Failure(f"{context.asset_key.to_user_string()} was never materialized: materialize it first")


def _folder(context: dg.OutputContext | dg.InputContext) -> Path:
    return load_settings().dagster_folder.joinpath("values", *context.asset_key.path)
