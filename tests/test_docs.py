"""Documentation keeps up with the code: settings and commands that it does not tell make a test fail."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from pydantic import BaseModel

from tidzam_platform.cli.main import cli
from tidzam_platform.settings import Settings

ROOT = Path(__file__).resolve().parents[1]


def settings(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from settings(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field.description or ""


def commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


@pytest.mark.parametrize(("name", "description"), list(settings()))
def test_every_setting_is_described_in_docs_settings(name: str, description: str) -> None:
    assert description, f"{name} has no description"
    assert f"| `{name}` |" in (ROOT / "docs" / "settings.md").read_text()


def test_docs_name_no_setting_that_is_gone() -> None:
    documented = re.findall(
        r"^\| `([a-z0-9_.]+)` \|", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE
    )
    assert sorted(documented) == sorted(name for name, _ in settings())


def test_every_command_and_option_is_in_docs_commands() -> None:
    text = (ROOT / "docs" / "commands.md").read_text()
    for name, command in commands(cli):
        section = re.search(rf"^## {re.escape(name)}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
        assert section, f"{name} is not in docs/commands.md"
        for option in command.params:
            if isinstance(option, click.Option) and option.opts != ["--help"]:
                assert f"`{option.opts[-1]}" in section[1], (
                    f"{name} {option.opts[-1]} is not in docs/commands.md"
                )


def test_every_metric_of_the_model_server_is_in_docs_model_server() -> None:
    from serving.server.metrics import Metrics

    exported = re.findall(r"^# TYPE (\S+)", Metrics().render()[0].decode(), re.MULTILINE)
    documented = re.findall(
        r"^\| `([:\w]+)` \|", (ROOT / "docs" / "model_server.md").read_text(), re.MULTILINE
    )
    assert exported
    assert sorted(exported) == sorted(
        name for name in documented if "_" in name and name != "serving_default"
    )


def test_every_command_has_help_with_an_example() -> None:
    for name, command in commands(cli):
        assert command.help, name
        assert "./tidzam " in command.help + (command.epilog or ""), f"{name} shows no example"


def test_links_of_the_readme_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
