"""Grammar to nodes: the whole file. The rules of the parts are in `build_expressions`, `build_statements`,
`build_declarations` and `build_chat`; `grammar` gives each the parts of its rule.
"""

from dataclasses import dataclass

from flowc.dsl.build_chat import ChatRules
from flowc.dsl.nodes import Chat, Declaration, FlowHeader, LibraryHeader

__all__ = ["Builder", "Tree"]


@dataclass(frozen=True, slots=True)
class Tree:
    """What a file holds; a header that could not be read is None."""

    header: FlowHeader | LibraryHeader | None
    declarations: tuple[Declaration, ...]
    chats: tuple[Chat, ...] = ()


@dataclass(slots=True)
class Builder(ChatRules):
    """All rules of the grammar."""

    def flow_file(self, header: FlowHeader | LibraryHeader | None, *declarations: Declaration | None) -> Tree:
        return Tree(header, tuple(each for each in declarations if each is not None))

    def chat_file(self, *chats: Chat | None) -> Tree:
        return Tree(None, (), tuple(each for each in chats if each is not None))
