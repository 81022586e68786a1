"""Names of servers' tools: what providers take, one for each, the same whatever else there is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.tools.mcp.config import SERVER_NAME
from app.tools.mcp.names import names_of
from app.tools.toolbox import NAME


def test_server_and_tool() -> None:
    assert names_of({"files": ["read", "a.b/c"]}) == {
        ("files", "read"): "files_read",
        ("files", "a.b/c"): "files_a_b_c",
    }


def test_the_longest() -> None:
    names = names_of({"s": ["t" * 62, "t" * 63, "t" * 62 + "u"]})
    assert names["s", "t" * 62] == "s_" + "t" * 62
    assert len(set(names.values())) == 3 and {len(one) for one in names.values()} == {64}


def test_two_that_would_be_one() -> None:
    names = names_of({"a": ["b.c", "b_c"], "a_b": ["c"]})
    assert names["a", "b_c"] == "a_b_c"
    assert len(set(names.values())) == 3


def test_a_name_does_not_depend_on_the_order() -> None:
    one, other = names_of({"a": ["x.y", "x/y"]}), names_of({"a": ["x.y", "x/y", "z"]})
    assert one.items() <= other.items()


@given(
    st.dictionaries(
        st.from_regex(SERVER_NAME, fullmatch=True),
        st.lists(st.text(max_size=80), max_size=8),
        max_size=4,
    )
)
def test_all_providers_take_them_and_none_is_twice(tools: dict[str, list[str]]) -> None:
    names = names_of(tools)
    assert all(NAME.match(name) for name in names.values())
    assert len(set(names.values())) == len(names)
    assert names.keys() == {(server, tool) for server, own in tools.items() for tool in own}
