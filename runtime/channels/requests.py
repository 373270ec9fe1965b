"""What a request of the HTTP face may hold, decoded and checked.

Bodies are decoded by msgspec into closed structs, so a wrong type or an unknown key is one sentence with its place.
"""

import re
from typing import Final, Literal, TypeVar

import msgspec
from msgspec import Struct

from flowc.runtime.engine.errors import Malformed, TooLong
from flowc.runtime.kernel.events import User
from flowc.runtime.types import Field
from flowc.runtime.values import Malformed as WrongValue
from flowc.runtime.values import Shapes, Value, from_json

__all__ = ["HandoffBody", "MessageBody", "OpenBody", "decoded", "event_of", "user_of", "valid_event_id", "valid_id"]

CONVERSATION_ID: Final = re.compile(r"[A-Za-z0-9._~:@+-]{1,128}")
MAX_EVENT_ID: Final = 200

UserJson = dict[str, object]


class MessageBody(Struct, frozen=True, forbid_unknown_fields=True):
    text: str
    id: str | None = None
    user: UserJson | None = None
    locale: str | None = None


class OpenBody(Struct, frozen=True, forbid_unknown_fields=True):
    user: UserJson | None = None
    locale: str | None = None


class EventHead(Struct, frozen=True):
    """`id` is required, so that a repetition is known. The other keys are the event's fields."""

    name: str
    id: str


class HandoffBody(Struct, frozen=True, forbid_unknown_fields=True):
    answer: Literal["returned", "unavailable"]


class KnownUser(Struct, frozen=True):
    """The keys that every bot knows of a user; the others have to be declared in `[user]` of flowc.toml."""

    id: str | None = None
    name: str | None = None
    locale: str | None = None
    zone: str | None = None
    channel: str = "http"


Body = TypeVar("Body", bound=Struct)


def decoded(content: bytes, body: type[Body]) -> Body:
    """The body as its struct. Raises Malformed with the place of what is wrong."""
    try:
        return msgspec.json.decode(content or b"{}", type=body)
    except msgspec.ValidationError as error:
        raise Malformed(f"the body does not fit: {sentence(error)}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"the body is not JSON: {sentence(error)}") from error


def sentence(error: Exception) -> str:
    """The error's words, beginning in lower case."""
    text = str(error)
    return text[:1].lower() + text[1:]


def valid_id(wanted: str) -> str:
    """A conversation's id as it may stand in an address. Raises Malformed."""
    if CONVERSATION_ID.fullmatch(wanted) is None:
        raise Malformed("a conversation's id has 1 to 128 letters, digits or any of . _ ~ : @ + -")
    return wanted


def valid_event_id(wanted: str | None) -> str | None:
    """The id of a message or event. Raises TooLong."""
    if wanted is not None and len(wanted) > MAX_EVENT_ID:
        raise TooLong(f"an id has at most {MAX_EVENT_ID} characters")
    return wanted or None


def user_of(
    given: UserJson | None, locale: str | None, address: str, declared: tuple[Field, ...], shapes: Shapes
) -> User | None:
    """What the channel says of the user; None where it says nothing, so that what is known stays. Raises Malformed for
    a key that nobody declared or a value that does not fit."""
    if given is None:
        return None if locale is None else User(address, locale=locale)
    names = {field.name: field for field in declared}
    try:
        known = msgspec.convert({key: value for key, value in given.items() if key not in names}, KnownUser)
    except msgspec.ValidationError as error:
        raise Malformed(f"`user` does not fit: {sentence(error)}") from error
    extra = given.keys() - names.keys() - set(KnownUser.__struct_fields__)
    if extra:
        raise Malformed(f"`user` has no `{min(extra)}`; declare it in [user] of flowc.toml")
    fields = {key: typed(f"user.{key}", names[key], given[key], shapes) for key in given.keys() & names.keys()}
    return User(known.id or address, known.name, known.locale or locale, known.zone, known.channel, declared=fields)


def event_of(content: bytes) -> tuple[str, str, dict[str, object]]:
    """Name, id and fields of an event. Raises Malformed."""
    head = decoded(content, EventHead)
    if not head.id:
        raise Malformed("an event needs an `id`, so that a repetition is known")
    fields = msgspec.json.decode(content, type=dict[str, object])
    return head.name, valid_event_id(head.id) or "", {key: fields[key] for key in fields.keys() - {"name", "id"}}


def typed(place: str, field: Field, value: object, shapes: Shapes) -> Value:
    """A value from outside as its type. Raises Malformed with its place."""
    try:
        return from_json(field.type, value, shapes)
    except WrongValue as error:
        raise Malformed(f"`{place}` does not fit: {error}") from error
