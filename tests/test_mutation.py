"""What an author gets wrong is found where it is: mutants of the example flows (`python tests/mutation.py` has all)."""

from collections import Counter

import pytest
from mutants import Mutant, mutants_of, some
from mutation import FOLDERS, Judged, all_mutants, judge, report, share, texts_of

from flowc.dsl.format import format_source
from flowc.dsl.layout import Scan, scan
from flowc.dsl.source import SourceFile

SEED = 20261125
# What is left without an arm, a line or a repeated one is often a flow that somebody could mean.
DESIGN = {"delete an arm", "drop a line", "repeat a line"}
OF_THE_CHECKER = sorted({each.operator for each in all_mutants(FOLDERS[0])} - DESIGN)


def test_the_same_seed_chooses_the_same() -> None:
    every = list(mutants_of("a.flow", texts_of("order_support")["order_support.flow"]))
    assert some(every, 3, SEED) == some(every, 3, SEED)
    assert len({each.text for each in every}) > 900


@pytest.mark.parametrize("operator", OF_THE_CHECKER)
@pytest.mark.parametrize("folder", FOLDERS)
def test_what_is_wrong_is_found_at_its_place(folder: str, operator: str) -> None:
    """All of the few that are chosen, so a seed that comes upon one that nobody can tell is another one's."""
    chosen = [each for each in all_mutants(folder) if each.operator == operator]
    judged = [judge(folder, each) for each in some(chosen, 5, SEED)]
    assert share(judged) == 100, report(judged)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_every_mutant() -> None:
    judged: list[Judged] = [judge(folder, each) for folder in FOLDERS for each in all_mutants(folder)]
    assert share(judged) >= 95, report(judged)
    assert Counter(each.verdict for each in judged)["same"] < len(judged) / 4


def parses(mutant: Mutant) -> bool:
    return not format_source(SourceFile(mutant.path, mutant.text)).diagnostics


@pytest.mark.parametrize("folder", FOLDERS)
def test_formatting_keeps_every_token_of_mutants(folder: str) -> None:
    for mutant in filter(parses, some(all_mutants(folder), 2, SEED)):
        source = SourceFile(mutant.path, mutant.text)
        text = format_source(source).text
        again = SourceFile(mutant.path, text)
        assert format_source(again).text == text, str(mutant)
        before, after = scan(source), scan(again)
        assert [each.text for each in before.comments] == [each.text for each in after.comments], str(mutant)
        assert words(before) == words(after), str(mutant)


def words(scanned: Scan) -> list[str]:
    return [token.text for token in scanned.tokens if token.text.strip()]
