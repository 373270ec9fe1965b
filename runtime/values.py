"""The values of the language in Python, and their two encodings: msgpack for what we store, JSON for the outside.

    boolean bool      text, choice, email, phone, url  str        date, time, datetime  the same of `datetime`
    integer int       number  Decimal (an int fits)               duration  timedelta   money  Money
    list    tuple     record  dict in the order of its fields     none      None

A datetime is aware and in UTC. A number is finite and below 10^30. There is no float: `from_json` makes it a Decimal.
"""

from flowc.runtime.fitting import (
    MOST_ITEMS,
    NUMBER_LIMIT,
    Money,
    Shapes,
    Value,
    fits,
    is_optional,
    pattern_fits,
    plain_type,
)
from flowc.runtime.json_form import Malformed, Names, from_json, to_json
from flowc.runtime.packing import decode, encode, pack, unpack

__all__ = [
    "MOST_ITEMS",
    "NUMBER_LIMIT",
    "Malformed",
    "Money",
    "Names",
    "Shapes",
    "Value",
    "decode",
    "encode",
    "fits",
    "from_json",
    "is_optional",
    "pack",
    "pattern_fits",
    "plain_type",
    "to_json",
    "unpack",
]
