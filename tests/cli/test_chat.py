"""What `flowc chat` shows of a conversation that is not served."""

import pytest

from flowc.cli.chat import View, said
from flowc.cli.options import Color
from flowc.cli.talk import Answer
from flowc.cli.terminal import Terminal
from flowc.runtime.engine.errors import TooBusy

WORDS = "more came than is allowed: send it again in 3 s"


class Busy:
    async def say(self, text: str) -> Answer:
        raise TooBusy(WORDS, 3)


@pytest.mark.parametrize("is_live", [True, False])
async def test_who_talks_is_told_of_a_refusal_and_a_script_ends_with_it(
    is_live: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    view = View(Terminal(Color.NEVER), json=False)
    view.is_live = is_live
    if is_live:
        await said(Busy(), "hello", view)  # type: ignore[arg-type]  # nothing else is asked of it
        assert WORDS in capsys.readouterr().out
    else:
        with pytest.raises(TooBusy):
            await said(Busy(), "hello", view)  # type: ignore[arg-type]
