"""Values made from types: they fit, and are the same each time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowc.runtime.services.patterns import matching
from flowc.runtime.services.samples import NoSample, sample
from flowc.runtime.types import Basic, Choice, Field, Integer, ListOf, Marked, Number, Optional, Record, Text, Type
from flowc.runtime.values import Shapes, fits, pattern_fits

SHAPES = Shapes(
    {
        "Tree": (
            Field("name", Text()),
            Field("children", ListOf(Record("Tree"))),
            Field("up", Optional(Record("Tree"))),
        ),
        "Order": (Field("id", Text("[A-Z]{2}[0-9]{6}")), Field("total", Basic("money"))),
    },
    "UTC",
    "CHF",
)
BASICS = ["boolean", "date", "time", "datetime", "duration", "money", "email", "phone", "url"]
SIMPLE = st.one_of(
    st.sampled_from([Basic(name) for name in BASICS]),  # type: ignore[arg-type]
    st.sampled_from([Text(), Text("[a-z]+-[0-9]{3}"), Choice(("a", "b")), Record("Order"), Record("Tree")]),
    st.tuples(st.integers(-5, 5), st.integers(0, 5)).map(lambda it: Integer(it[0], it[0] + it[1])),
    st.tuples(st.integers(-5, 5), st.integers(0, 5)).map(lambda it: Number(f"{it[0]}.5", f"{it[0] + it[1]}.5")),
    st.sampled_from([Integer(None, -3), Integer(7, None), Integer(), Number()]),
)
TYPES = st.recursive(
    SIMPLE, lambda inner: st.one_of(inner.map(Optional), inner.map(ListOf), inner.map(lambda it: Marked("pii", it)))
)


@given(TYPES)
def test_a_sample_fits_its_type_and_is_always_the_same(type: Type) -> None:
    value = sample(type, SHAPES)
    assert fits(type, value, SHAPES)
    assert sample(type, SHAPES) == value


def test_samples_can_be_recognised() -> None:
    assert sample(Record("Order"), SHAPES) == {"id": "AB123456", "total": sample(Basic("money"), SHAPES)}
    assert sample(Text(), SHAPES, "subject") == "subject"
    assert sample(ListOf(Choice(("open", "shipped"))), SHAPES) == ("open",)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("[A-Z]{2}[0-9]{6}", "AB123456"),
        ("(?:a|bc)+x*y?z", "az"),
        (r"(?i)ab\w\s.", "aba a"),
        (r"(?P<year>\d{4})-(\d\d)", "1234-11"),
        (r"\x{41}\x42", "AB"),
        ("[[:upper:]]{2}[[:digit:]]+", "AB1"),
        (r"\pL\p{Lu}\p{Nd}", "aA1"),
        (r"\Aab\z|c", "ab"),
        (r"\Qa.b\E+c", "a.bc"),
        ("[]a]", "a"),
        ("[^a-z]", "1"),
        (r"[^\x00-\x7f]", "é"),
        (r"[\d.-]{3}", "123"),
        ("x{", "x{"),
        ("(a|b|)c{0}d{2,}", "add"),
        (r"(?i:ok)\.", "ok."),
        ("", ""),
        (r"^\bword\b$", "word"),
    ],
)
def test_a_text_that_a_pattern_matches(pattern: str, text: str) -> None:
    assert matching(pattern) == text


def test_a_pattern_without_an_obvious_text_says_so() -> None:
    assert matching(r"a\Bb\b\bc\b") is None
    with pytest.raises(NoSample, match="no text is made up for `code`"):
        sample(Text(r"\p{Greek}"), SHAPES, "code")


PATTERNS = st.recursive(
    st.sampled_from(["a", "[b-d]", r"\d", ".", r"\.", "[^e]", "é", r"\w"]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda it: f"({'|'.join(it)})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "+?"])).map(lambda it: f"(?:{it[0]}){it[1]}"),
    ),
    max_leaves=8,
)


@given(PATTERNS)
def test_every_usual_pattern_has_a_text(pattern: str) -> None:
    text = matching(pattern)
    assert text is not None
    assert pattern_fits(pattern, text)


@given(st.text(alphabet=r"ab[]()|*+?{}\\^$.1,:dpQEx", max_size=12))
def test_no_pattern_at_all_breaks_it(pattern: str) -> None:
    text = matching(pattern)
    assert text is None or pattern_fits(pattern, text)
