"""``./tidzam token``: who may change what, over HTTP and Socket.IO."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, Final

import click

from tidzam_platform.access import Role, Token, TokenStore
from tidzam_platform.cli.output import json_option, print_json, print_line, print_table, remarks
from tidzam_platform.clock import format_utc, parse_utc, utc_now
from tidzam_platform.errors import TidzamError
from tidzam_platform.home import make_home_folder
from tidzam_platform.settings import load_settings

_DURATION: Final = re.compile(r"([1-9][0-9]{0,4})(h|d|w)")
_LIKE_DURATION: Final = re.compile(r"[-+]?[0-9.]+ ?[a-zA-Z]*")
_UNITS: Final = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


class _Expiry(click.ParamType[datetime]):
    """A time from now (``12h``, ``30d``, ``8w``) or a moment (ISO 8601 with its zone)."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        match = _DURATION.fullmatch(value)
        if match is None and _LIKE_DURATION.fullmatch(value):
            self.fail(
                f"{value!r} is not a time to come: a whole number from 1 to 99999 and h, d or w, such as 12h, 30d, 8w",
                param,
                ctx,
            )
        try:
            return parse_utc(value) if match is None else utc_now() + int(match[1]) * _UNITS[match[2]]
        except TidzamError as error:
            self.fail(f"{error}; or say how long from now: 12h, 30d, 8w", param, ctx)


@click.group(
    epilog="""\b
Examples:
  ./tidzam token create --role operate --name ann      show a new token, once
  ./tidzam token list                                  which there are, and when they were used
"""
)
def token() -> None:
    """Give tokens to people and programs, and take them back."""


@token.command(
    epilog="""\b
Examples:
  ./tidzam token create --role operate --name ann
  ./tidzam token create --role listen --name map --expires 30d
  TOKEN=$(./tidzam token create --role label --json | jq -r .token)
"""
)
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    required=True,
    help="What it is good for; each may also do what those before it may.",
)
@click.option("--name", default="", help="Whose it is: the mixer's log and the list tell it.")
@click.option(
    "--expires", type=_Expiry(), help="When it ends: 12h, 30d, 8w from now, or a moment in ISO 8601."
)
@json_option
def create(role: str, name: str, expires: datetime | None, as_json: bool) -> None:
    """Make a token and show it, this once: only its hash is kept.

    listen looks and listens, label keeps recordings for labelling, operate changes sources and the mixer, own decides
    which generation serves.
    """
    made, secret = _store().create(Role(role), name, expires)
    if as_json:
        print_json({**_told(made), "token": secret})
        return
    remarks.print(f"a token of role {made.role.value}, named {made.name}; it is shown this once:")
    print_line(secret)


@token.command(
    name="list",
    epilog="""\b
Examples:
  ./tidzam token list
  ./tidzam token list --json
""",
)
@json_option
def list_(as_json: bool) -> None:
    """List the tokens, without their secrets; the initial one lies in secrets/own_token of the data folder."""
    tokens = _store().list()
    if as_json:
        print_json({"tokens": [_told(one) for one in tokens]})
        return
    now = utc_now()
    print_table(
        "tokens",
        ["id", "name", "role", "created", "expires", "last used"],
        [
            [
                one.id,
                one.name,
                one.role.value,
                format_utc(one.created),
                f"{_time(one.expires)}{' (over)' if one.is_expired(now) else ''}",
                _time(one.last_used),
            ]
            for one in tokens
        ],
    )


@token.command(
    epilog="""\b
Examples:
  ./tidzam token revoke ann
  ./tidzam token revoke 1f0c77ab
"""
)
@click.argument("token", metavar="ID_OR_NAME")
@json_option
def revoke(token: str, as_json: bool) -> None:
    """Take a token back: running processes refuse it from their next look on, which is the next request."""
    revoked = _store().revoke(token)
    if as_json:
        print_json(_told(revoked))
    else:
        print_line(f"{revoked.name} ({revoked.id}, {revoked.role.value}) is good for nothing any more")


def _store() -> TokenStore:
    settings = load_settings()
    make_home_folder(settings.home)
    return TokenStore(settings.home / "secrets")


def _told(one: Token) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "role": one.role.value,
        "created": format_utc(one.created),
        "expires": _time(one.expires) or None,
        "last_used": _time(one.last_used) or None,
    }


def _time(moment: datetime | None) -> str:
    return "" if moment is None else format_utc(moment)
