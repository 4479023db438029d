"""Processes start after those that they need, whatever the order in which they are written down."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidzam_platform.errors import InvalidNameError
from tidzam_platform.operations.supervision.probes import HttpProbe
from tidzam_platform.operations.supervision.table import ProcessDefinition, ProcessTable


def _definition(name: str, *needs: str) -> ProcessDefinition:
    return ProcessDefinition(name, ("/bin/true",), HttpProbe("127.0.0.1", 1, "/"), needs=needs)


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[str]]:
    """Needs by name, without circles, in any order of names."""
    names = draw(
        st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,5}", fullmatch=True), unique=True, min_size=1, max_size=8)
    )
    needs = {
        name: draw(st.lists(st.sampled_from(names[:i]), unique=True)) if i else []
        for i, name in enumerate(names)
    }
    return {name: needs[name] for name in draw(st.permutations(names))}


@given(tables())
def test_each_comes_after_all_that_it_needs(needs: dict[str, list[str]]) -> None:
    table = ProcessTable(_definition(name, *needed) for name, needed in needs.items())
    assert sorted(table.names) == sorted(needs)
    place = {name: number for number, name in enumerate(table.names)}
    for name, needed in needs.items():
        assert all(place[one] < place[name] for one in needed)
        assert sorted(table.needs(name)) == sorted(needed)


@given(tables(), st.data())
def test_needs_and_dependants_are_the_two_ends_of_one_relation(
    needs: dict[str, list[str]], data: st.DataObject
) -> None:
    table = ProcessTable(_definition(name, *needed) for name, needed in needs.items())
    one, other = data.draw(st.sampled_from(table.names)), data.draw(st.sampled_from(table.names))
    assert (one in table.with_needs([other])) == (other in table.with_dependants([one]))
    assert one in table.with_needs([one])
    for needed in table.needs(one):
        assert set(table.with_needs([needed])) < set(table.with_needs([one]))


def test_what_is_needed_but_runs_elsewhere_is_not_waited_for() -> None:
    table = ProcessTable([_definition("web", "engine")])
    assert table.names == ("web",)
    assert table.needs("web") == ()


def test_names_are_chosen_in_the_order_of_the_table_and_none_means_all() -> None:
    table = ProcessTable([_definition("web", "engine"), _definition("engine"), _definition("dagster")])
    assert table.chosen([]) == table.names
    assert table.chosen(["web", "engine"]) == ("engine", "web")


def test_a_name_that_is_unknown_is_refused_with_those_that_are() -> None:
    table = ProcessTable([_definition("web"), _definition("engine")])
    with pytest.raises(InvalidNameError, match=r"'webb': choose of web, engine"):
        table.chosen(["web", "webb"])


@pytest.mark.parametrize(
    "definitions",
    [
        [_definition("web", "engine"), _definition("engine", "web")],
        [_definition("web"), _definition("web")],
        [_definition("../web")],
        [_definition("web]\n[x")],
        [_definition("")],
    ],
)
def test_circles_doubles_and_names_that_no_file_can_have_are_refused(
    definitions: list[ProcessDefinition],
) -> None:
    with pytest.raises(ValueError, match=r".+"):
        ProcessTable(definitions)
