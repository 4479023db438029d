"""``./tidzam bench``: what is measured beside a reference in the same run."""

from __future__ import annotations

import os
from dataclasses import asdict
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

import click

from tidzam_platform.cli.empty_options import refuse_empty_options
from tidzam_platform.cli.output import json_option, print_json, print_table, remarks

BENCHMARKS_GROUP: Final = "tidzam.benchmarks"
_CLASSES = (*(f"animal-kind{number}" for number in range(11)), "human-cry", "human-laugh", "noise")


_data_option = click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder with labelled clips and the labels.csv that names them.",
)
_folds_option = click.option(
    "--folds", type=click.IntRange(2), default=3, show_default=True, help="Folds of the groups."
)
_work_option = click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for what is finished; another call goes on from there (default: bench/ in the home).",
)


class _Benchmarks(click.Group):
    """Those of this room, and those that other rooms bring by entry points; these are imported when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(
            {*super().list_commands(ctx), *(point.name for point in entry_points(group=BENCHMARKS_GROUP))}
        )

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if command := super().get_command(ctx, cmd_name):
            return command
        for point in entry_points(group=BENCHMARKS_GROUP, name=cmd_name):
            found = point.load()
            assert isinstance(found, click.Command)  # noqa: S101 - a wrong entry point is our own mistake
            refuse_empty_options(found)
            return found
        return None


@click.group(cls=_Benchmarks)
def bench() -> None:
    """Measure quality and speed, each beside a reference in the same run.

    \b
    Examples:
      ./tidzam bench classifiers --data fieldset --json
      ./tidzam bench choices --data fieldset
      ./tidzam bench inference
      ./tidzam bench train-input
      ./tidzam bench serve
      ./tidzam bench swap
      ./tidzam bench reprocess
      ./tidzam bench stream
      ./tidzam bench live
      ./tidzam bench learning --data fieldset
    """


@bench.command()
@_data_option
@_folds_option
@click.option("--only", multiple=True, metavar="NAME", help="Run only this classifier; may be given again.")
@_work_option
@json_option
def classifiers(data: Path, folds: int, only: tuple[str, ...], work: Path | None, as_json: bool) -> None:
    """Cross-validate classifiers on the same folds: MFCC statistics, SB-CNN, and ours.

    Macro-F1 is computed once over the pooled out-of-fold answers (closed set, clips, leaf classes). It takes about
    an hour on two cores, and goes on where it was stopped; reference_cnn, the CNN of 240,000 weights that bench
    inference compares with, takes hours more and runs only if it is named.

    \b
    Examples:
      ./tidzam bench classifiers --data fieldset --json
      ./tidzam bench classifiers --data fieldset --only default --only mfcc_svm
    """
    from tidzam_platform.classifiers.benchmarks.comparison import compare_classifiers
    from tidzam_platform.settings import load_settings

    settings = load_settings()
    report = compare_classifiers(
        data / "labels.csv",
        settings,
        work or settings.home / "bench" / "classifiers",
        folds=folds,
        only=only,
        say=remarks.print,
    )
    if as_json:
        print_json(report)
        return
    print_table(
        f"{report['clips']} clips of {report['classes']} classes, {folds} folds",
        ("classifier", "macro-F1", "95 %", "accuracy", "ECE", "windows/s/core", "parameters"),
        [
            (
                row["name"],
                f"{row['macro_f1']:.3f}",
                f"{row['ci95'][0]:.3f} to {row['ci95'][1]:.3f}",
                f"{row['accuracy']:.3f}",
                f"{row['ece']:.3f}" if "ece" in row else "",
                f"{row['windows_per_s_per_core']:.0f}",
                row["parameters"],
            )
            for row in report["classifiers"]
        ],
    )


@bench.command()
@_data_option
@_folds_option
@click.option(
    "--run", type=click.IntRange(1), default=1, show_default=True, help="How many of the folds are tested."
)
@click.option("--epochs", type=click.IntRange(1), default=16, show_default=True, help="Of each training.")
@click.option("--only", multiple=True, metavar="NAME", help="Run only this choice beside the default.")
@click.option(
    "--markdown",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the table to this file, in Markdown.",
)
@_work_option
@json_option
def choices(
    data: Path,
    folds: int,
    run: int,
    epochs: int,
    only: tuple[str, ...],
    markdown: Path | None,
    work: Path | None,
    as_json: bool,
) -> None:
    """Quality against cost: the default classifier beside itself with one thing changed.

    Width, depth, sampling rate, window, bands, normalisation, augmentation: each choice is trained with the same
    effort and tested on the same folds. It takes about two minutes a choice, fold and 16 epochs on two cores.

    \b
    Examples:
      ./tidzam bench choices --data fieldset --markdown choices.md
      ./tidzam bench choices --data fieldset --only wide --only pcen --json
    """
    from tidzam_platform.classifiers.benchmarks.choices import as_markdown, measure_choices
    from tidzam_platform.files import write_for_user
    from tidzam_platform.settings import load_settings

    if run > folds:
        raise click.UsageError(f"--run {run} is more than the {folds} folds there are")
    settings = load_settings()
    rows = measure_choices(
        data / "labels.csv",
        settings,
        work or settings.home / "bench" / "choices",
        folds=folds,
        run=run,
        epochs=epochs,
        only=only,
        say=remarks.print,
    )
    if markdown is not None:
        write_for_user(markdown, as_markdown(rows).encode())
    if as_json:
        print_json({"folds": folds, "run": run, "epochs": epochs, "choices": rows})
        return
    print_table(
        f"{run} of {folds} folds, {epochs} epochs",
        ("changed", "to", "macro-F1", "difference", "log-loss", "parameters", "windows/s/core"),
        [
            (
                row["question"],
                row["name"],
                f"{row['macro_f1']:.3f}",
                f"{row['difference']:+.3f}",
                f"{row['log_loss']:.3f}",
                row["parameters"],
                f"{row['windows_per_s_per_core']:.0f}",
            )
            for row in rows
        ],
    )


@bench.command()
@json_option
def inference(as_json: bool) -> None:
    """Windows per second and core, features included: ours, a CNN of 240,000 weights, and a plain loop.

    \b
    Examples:
      ./tidzam bench inference
      ./tidzam bench inference --json
    """
    from serving.benchmarks.inference import measure_inference
    from tidzam_platform.classifiers.front_end import preset
    from tidzam_platform.settings import load_settings

    settings = load_settings()
    figures = measure_inference(preset(settings.tree.front_end), settings.training.architecture, _CLASSES)
    if as_json:
        print_json(figures)
        return
    rows = [(name, f"{figures[name]['windows_per_s_per_core']:.0f}") for name in ("default", "cnn", "loop")]
    rows += [(f"default in {name}", f"{figures['engines'][name]:.0f}") for name in ("tensorflow", "xla")]
    print_table("Inference, features included", ("what", "windows/s/core"), rows)
    click.echo(f"{figures['ratio_to_cnn']:.1f} times the CNN, {figures['ratio_to_loop']:.0f} times the loop")


@bench.command("train-input")
@json_option
def train_input(as_json: bool) -> None:
    """Windows per second of training with the whole input pipeline, over the same model on tensors in memory.

    \b
    Examples:
      ./tidzam bench train-input
      ./tidzam bench train-input --json
    """
    from tidzam_platform.classifiers.benchmarks.train_input import measure_train_input
    from tidzam_platform.classifiers.front_end import preset
    from tidzam_platform.settings import load_settings

    settings = load_settings()
    speed = measure_train_input(settings.training, preset(settings.tree.front_end))
    if as_json:
        print_json(asdict(speed))
        return
    click.echo(
        f"{speed.pipeline_windows_per_s:.0f} windows/s with the pipeline, {speed.in_memory_windows_per_s:.0f} from "
        f"memory: {speed.ratio:.2f}"
    )


@bench.command("serve")
@click.option(
    "--rounds", type=click.IntRange(1), default=5, show_default=True, help="By turns; the median counts."
)
@json_option
def bench_serve_command(rounds: int, as_json: bool) -> None:
    """The embedded server over gRPC beside the same model called in process: throughput, latency, cost of serving.

    The model is a CNN of 240,000 weights, whatever the default is. A round takes about half a minute; server and
    clients share the machine's cores.

    \b
    Examples:
      ./tidzam bench serve
      ./tidzam bench serve --json
      TIDZAM_MODEL_SERVER__BATCHING__MAX_BATCH_SIZE=16 ./tidzam bench serve
    """
    from serving.benchmarks.serve import bench_serve

    figures = bench_serve(rounds)
    if as_json:
        print_json(figures)
        return
    rows = [
        (
            row["clients"],
            f"{row['requests_per_s']:.0f}",
            f"{row['p50_ms']:.1f}",
            f"{row['p99_ms']:.1f}",
            f"{row['mean_batch']:.1f}",
            f"{row['overhead_cpu_ms']:.2f}",
        )
        for row in figures["clients"]
    ]
    columns = ("clients", "requests/s", "p50 ms", "p99 ms", "mean batch", "serving, ms of processor")
    print_table("Single windows over gRPC", columns, rows)
    local = figures["in_process"]
    click.echo(
        f"in process {local['windows_per_s']:.0f} windows/s in batches of {local['batch']} "
        f"({local['batch_ms']:.0f} ms): the server reaches {figures['ratio_saturated']:.2f} of it; "
        f"at half load p99 {figures['p99_ms']:.0f} ms (limit {figures['p99_limit_ms']:.0f} ms)"
    )


@bench.command("swap")
@click.option(
    "--swaps",
    type=click.IntRange(2),
    default=50,
    show_default=True,
    help="Promotions and rollbacks by turns.",
)
@json_option
def bench_swap_command(swaps: int, as_json: bool) -> None:
    """Swap versions under load, 200 requests/s from 8 clients, and ask for two bad ones: what fails, what answers.

    The versions are default networks with random weights, in a data folder of their own. 50 swaps take some minutes.

    \b
    Examples:
      ./tidzam bench swap
      ./tidzam bench swap --swaps 10 --json
    """
    from serving.benchmarks.swap import bench_swap
    from tidzam_platform.classifiers.front_end import preset
    from tidzam_platform.settings import load_settings

    settings = load_settings()
    figures = bench_swap(swaps, settings.training.architecture, preset(settings.tree.front_end))
    if as_json:
        print_json(figures)
        return
    names = ("swaps", "requests", "failed", "wrong", "answers_from_unavailable", "bad_versions_answered")
    rows = [(name.replace("_", " "), str(figures[name])) for name in names]
    rows += [(f"{name[:3]}, ms", f"{figures[name]:.0f}") for name in ("p50_ms", "p99_ms", "max_ms")]
    first, last = figures["memory_after_first_mb"], figures["memory_after_last_mb"]
    rows.append(("memory after the first and the last swap, MB", f"{first:.0f}, {last:.0f}"))
    print_table("Versions swapped under load", ("what", "how many"), rows)


@bench.command("reprocess")
@click.option(
    "--channel-hours", type=click.FloatRange(0.1), default=24.0, show_default=True,
    help="Length of the archive times its channels.",
)  # fmt: skip
@click.option(
    "--rounds", type=click.IntRange(1), default=1, show_default=True, help="By turns; the median counts."
)
@click.option(
    "--recording", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Repeat this recording instead of a made one of four channels.",
)  # fmt: skip
@json_option
def bench_reprocess_command(channel_hours: float, rounds: int, recording: Path | None, as_json: bool) -> None:
    """Hear an archive made by repetition, from Opus to Parquet, beside ffmpeg that only decodes it and a plain loop.

    The loop is librosa and Keras as one writes it first. Processor time of all processes counts. The defaults take a
    few minutes on two cores.

    \b
    Examples:
      ./tidzam bench reprocess
      ./tidzam bench reprocess --channel-hours 40 --rounds 3 --json
    """
    from serving.benchmarks.reprocess import measure_reprocessing
    from tidzam_platform.settings import load_settings

    processes = load_settings().reprocessing.processes or len(os.sched_getaffinity(0))
    figures = measure_reprocessing(channel_hours, rounds, processes, recording)
    if as_json:
        print_json(figures)
        return
    rows = [
        ("channel-hours", f"{figures['channel_hours']:.1f}"),
        (
            "seconds of a channel in a second of a processor",
            f"{figures['channel_seconds_per_cpu_second']:.0f}",
        ),
        ("processor time over that of decoding alone", f"{figures['ratio_to_decode_only']:.2f}"),
        ("times as fast as the loop", f"{figures['ratio_to_user_loop']:.0f}"),
        ("largest process, a quarter of the archive, MB", f"{figures['peak_memory_mb']['quarter']:.0f}"),
        ("largest process, all of it, MB", f"{figures['peak_memory_mb']['whole']:.0f}"),
    ]
    print_table("Reprocessing", ("what", "how much"), rows)
