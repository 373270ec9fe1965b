"""How chats are played where only time tells."""

from pathlib import Path

from command import ROOT, flowc

CHAT = """chat "a ticket that cannot be written" of order_support
  given tickets.create fails unavailable
  given orders.cancel fails unknown
  user "cancel AB123456" as cancel_order(order_id: "AB123456")
  bot any
  bot any
  user "yes" as yes
  bot contains "tell you here"
  bot any
  state human
"""


def test_a_job_that_never_works_has_failed(tmp_path: Path) -> None:
    """Its last outcome stays, and is not tried for ever."""
    assert flowc("init", tmp_path / "bot", "--template", "order", folder=ROOT).code == 0
    (tmp_path / "bot" / "order_support.chat").write_text(CHAT)
    ran = flowc("test", folder=tmp_path / "bot")
    assert ran.code == 0, ran.out
