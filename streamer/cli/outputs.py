"""``./tidzam outputs``: who is told of what is heard, and what could not be told."""

from __future__ import annotations

import click

from tidzam_platform.cli.output import json_option, print_json, print_line, print_table
from tidzam_platform.settings import load_settings


@click.group(
    epilog="""\b
Examples:
  ./tidzam outputs list              who is told, what waits, what was refused
  ./tidzam outputs test ops          does it arrive?
  ./tidzam outputs failed ops        what was refused for good, and why
  ./tidzam outputs retry ops         tell it again
"""
)
def outputs() -> None:
    """Webhooks, MQTT, chain-api, DeviceHive, e-mail: see docs/outputs.md for the file that names them."""


@outputs.command(
    name="list",
    epilog="""\b
Examples:
  ./tidzam outputs list
  ./tidzam outputs list --json
""",
)
@json_option
def list_(as_json: bool) -> None:
    """List the outputs: whom they tell, how much waits, whether they are reached, as the analyzer found last."""
    from streamer.analyzer.outputs.inspection import list_outputs

    listed = list_outputs(load_settings())
    if as_json:
        print_json({"outputs": listed})
        return
    print_table(
        "outputs",
        ["name", "kind", "to", "tells", "state", "waiting", "told", "failed", "dropped", "reason"],
        [
            [
                one["name"],
                one["kind"] or "(not in the file any more)",
                one["to"],
                ", ".join(one["messages"]),
                one["state"] if one["enabled"] else "off",
                one["waiting"],
                one["delivered"],
                one["failed"],
                one["dropped"],
                one["reason"],
            ]
            for one in listed
        ],
    )


@outputs.command(
    epilog="""\b
Examples:
  ./tidzam outputs failed ops
  ./tidzam outputs failed ops --limit 1000 --json
"""
)
@click.argument("name")
@click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    default=50,
    show_default=True,
    help="Show so many, the newest.",
)
@json_option
def failed(name: str, limit: int, as_json: bool) -> None:
    """Show the messages that the output NAME refused for good, and why."""
    from streamer.analyzer.outputs.inspection import failed_as_dict, failed_messages

    messages = failed_messages(load_settings(), name, limit)
    if as_json:
        print_json({"failed": [failed_as_dict(one) for one in messages]})
        return
    print_table(
        f"refused by {name}",
        ["id", "kind", "when", "reason"],
        [[one.id, one.kind, one.failed_at, one.reason] for one in messages],
    )


@outputs.command(
    epilog="""\b
Examples:
  ./tidzam outputs retry ops
  ./tidzam outputs retry ops --id 5f1d8c22a0b3e4d5f6a7b8c9
"""
)
@click.argument("name")
@click.option("--id", "identity", metavar="ID", help="Only the message with this id.")
@json_option
def retry(name: str, identity: str | None, as_json: bool) -> None:
    """Tell NAME again what it refused; a running analyzer does so within a second or two."""
    from streamer.analyzer.outputs.inspection import retry_failed

    retried = retry_failed(load_settings(), name, identity)
    if as_json:
        print_json({"retried": retried})
    else:
        print_line(f"{retried} message{'' if retried == 1 else 's'} will be told to {name} again")


@outputs.command(
    epilog="""\b
Examples:
  ./tidzam outputs test ops
"""
)
@click.argument("name")
@json_option
def test(name: str, as_json: bool) -> None:
    """Send the output NAME a test message now, past its queue (chain-api: only look whether the site is there)."""
    from streamer.analyzer.outputs.inspection import try_output

    said = try_output(load_settings(), name)
    if as_json:
        print_json({"name": name, "ok": True, "said": said})
    else:
        print_line(f"{name}: {said}")
