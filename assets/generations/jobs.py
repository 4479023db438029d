"""Promotion and rollback from Dagster: what ``./tidzam generation promote`` and ``rollback`` do, once a run."""

import dagster as dg
from pydantic import Field

from serving.repository import STABLE, Change, ModelRepository
from tidzam_platform.settings import load_settings

_BY = "dagster"


class PromotionConfig(dg.Config):
    """Which generation, why, and by whom."""

    generation: int = Field(description="Its number.")
    reason: str = Field(description="Why; the history keeps it.")
    by: str = Field(_BY, description="Who does it.")
    label: str = Field(STABLE, description="stable serves; canary is tried beside it.")


class RollbackConfig(dg.Config):
    """Away from which generation, why, and by whom."""

    generation: int = Field(
        description="The stable one that is left: a run that is repeated goes back one step."
    )
    reason: str = Field(description="Why; the history keeps it.")
    by: str = Field(_BY, description="Who does it.")


@dg.op(out=dg.Out(dg.Nothing))
def promote(context: dg.OpExecutionContext, config: PromotionConfig) -> None:
    """Give a generation the label; model servers follow by themselves."""
    repository = ModelRepository(load_settings().models_folder)
    _tell(
        context,
        repository.promote(config.generation, by=config.by, reason=config.reason, label=config.label),
    )


@dg.op(out=dg.Out(dg.Nothing))
def rollback(context: dg.OpExecutionContext, config: RollbackConfig) -> None:
    """Make stable what was stable before; model servers follow by themselves."""
    repository = ModelRepository(load_settings().models_folder)
    _tell(context, repository.rollback(by=config.by, reason=config.reason, expected=config.generation))


@dg.job(description="Put a generation into service, or beside the stable one as canary.")
def promote_generation() -> None:
    """One op."""
    promote()


@dg.job(description="Put the generation back into service that served before.")
def rollback_generation() -> None:
    """One op."""
    rollback()


def _tell(context: dg.OpExecutionContext, change: Change) -> None:
    context.log.info(f"{change.action}: generation {change.version} is {change.label}")
    context.add_output_metadata(change.to_json())
