"""The tree drawn at the top of errors.py is the real one."""

from __future__ import annotations

import inspect
import re

from tidzam_platform import errors

_BRANCH = re.compile(r"(?P<indent>[ │]*)(?:[├└]── )?(?P<name>[A-Z]\w*Error)\b\s*(?P<says>.*)")


def _drawn() -> list[tuple[str, str | None, str]]:
    """(name, name of the base, what the tree says of it), from top to bottom."""
    rows: list[tuple[str, str | None, str]] = []
    path: list[str] = []
    for line in inspect.cleandoc(errors.__doc__ or "").splitlines():
        match = _BRANCH.fullmatch(line.removeprefix("    "))
        if match is None or line == line.lstrip():
            continue
        is_root = "─" not in line
        depth = 0 if is_root else len(match["indent"]) // 4 + 1
        path = [*path[:depth], match["name"]]
        rows.append((match["name"], path[-2] if depth else None, match["says"]))
    return rows


def _real() -> dict[str, type[errors.TidzamError]]:
    return {
        name: member
        for name, member in vars(errors).items()
        if inspect.isclass(member) and issubclass(member, errors.TidzamError)
    }


def test_the_drawn_tree_names_every_error_with_its_base() -> None:
    real = {
        name: None if member is errors.TidzamError else member.__bases__[0].__name__
        for name, member in _real().items()
    }
    assert {name: base for name, base, _ in _drawn()} == real


def test_errors_are_defined_in_the_order_in_which_they_are_drawn() -> None:
    assert [name for name, _, _ in _drawn()] == list(_real())


def test_an_exit_code_of_its_own_is_drawn_and_a_drawn_one_is_true() -> None:
    for name, _, says in _drawn():
        own = vars(_real()[name]).get("exit_code")
        drawn = re.search(r"exit code (\d+)", says)
        if name != "TidzamError":
            assert (drawn is None) == (own is None), name
        if drawn is not None:
            assert own == int(drawn[1]), name


def test_exit_codes_are_not_those_of_success_or_of_signals() -> None:
    assert all(0 < member.exit_code < 126 for member in _real().values())


def test_every_error_says_what_it_means() -> None:
    assert all((member.__doc__ or "").strip() for member in _real().values())
