import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowc.dsl.diagnostic import Edit
from flowc.dsl.edits import apply_edits, apply_groups
from flowc.dsl.source import Span


def edit(start: int, end: int, replacement: str) -> Edit:
    return Edit(Span("a.flow", start, end), replacement)


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ([], "abcdef"),
        ([edit(1, 3, "X")], "aXdef"),
        ([edit(4, 5, "Y"), edit(0, 1, "X")], "XbcdYf"),
        ([edit(0, 3, "X"), edit(3, 6, "Y")], "XY"),
        ([edit(1, 4, "X"), edit(3, 5, "Y")], "aXef"),
        ([edit(3, 5, "Y"), edit(1, 4, "X")], "abcYf"),
        ([edit(1, 5, "X"), edit(2, 3, "Y")], "aXf"),
        ([edit(2, 3, "Y"), edit(1, 5, "X")], "abYdef"),
        ([edit(2, 2, "X"), edit(2, 2, "Y")], "abXcdef"),
        ([edit(2, 4, "Y"), edit(2, 2, "X")], "abXYef"),
        ([edit(2, 4, "Y"), edit(4, 4, "X")], "abYXef"),
        ([edit(2, 4, "Y"), edit(3, 3, "X")], "abYef"),
        ([edit(1, 3, "X"), edit(1, 3, "X")], "aXdef"),
        ([edit(6, 6, "!")], "abcdef!"),
    ],
)
def test_edits(edits: list[Edit], expected: str) -> None:
    assert apply_edits("abcdef", edits) == expected


@given(st.text(max_size=20), st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=8))
def test_edits_that_change_nothing(text: str, places: list[tuple[int, int]]) -> None:
    bounded = [(min((*pair, len(text))), min(max(pair), len(text))) for pair in places]
    assert apply_edits(text, [edit(start, end, text[start:end]) for start, end in bounded]) == text


def test_a_group_is_made_as_a_whole_or_not_at_all() -> None:
    groups = [(edit(0, 1, "X"), edit(5, 6, "Y")), (edit(2, 3, "Z"), edit(5, 6, "W")), (edit(3, 4, "V"),)]
    assert apply_groups({"a.flow": "abcdef"}, groups) == {"a.flow": "XbcVeY"}


def test_a_group_over_files_needs_them_all() -> None:
    elsewhere = Edit(Span("b.flow", 0, 1), "Q")
    assert apply_groups({"a.flow": "abc"}, [(edit(0, 1, "X"), elsewhere)]) == {}
    both = apply_groups({"a.flow": "abc", "b.flow": "def"}, [(edit(0, 1, "X"), elsewhere)])
    assert both == {"a.flow": "Xbc", "b.flow": "Qef"}
