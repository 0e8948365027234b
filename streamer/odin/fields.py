"""
``tag=value`` texts: the header, the fields, and the numbers in them.

Reading is lenient about form (order, missing fields, words that are no
fields) and strict about values: what is no plain, unsigned number where one
belongs makes the message unusable. No message is known here.
"""

from __future__ import annotations

from streamer.errors import MessageError
from streamer.odin.tags import SIMULATED, Tag
from streamer.odin.times import header_stamp

MAX_DIGITS = 18
"""Longer numbers do not fit into 64 bits and are refused."""

MAX_ID = 2**31 - 1
"""The largest market segment or token: both must fit the native block."""

MAX_LOCATOR = 10**9

Fields = dict[int, bytes]


def sized(head: str, tail: str) -> str:
    """Join ``head`` and ``tail`` by the length of the result, that number included."""
    size = len(head) + len(tail)
    length = size + len(str(size))
    if len(str(length)) != len(str(size)):
        length += 1
    return f"{head}{length}{tail}"


def server_text(code: int, body: str, sent: int) -> bytes:
    """
    Return one whole text of a server: the header, then ``body``.

    Raises:
        ValueError: If ``body`` is not ASCII.

    """
    tail = f"|66={header_stamp(sent)}|{body}" if body else f"|66={header_stamp(sent)}"
    return sized(f"63=FT3.0|64={code}|65=", tail).encode("ascii")


def text_value(value: str) -> str:
    """
    Return ``value`` if it can stand in a field.

    Raises:
        ValueError: If it holds ``|`` or anything but printable ASCII.

    """
    if not (value.isascii() and value.isprintable()) or "|" in value:
        raise ValueError(f"{value!r} cannot be the value of a field")
    return value


def parse_fields(text: bytes, *, repeatable: tuple[int, ...] = ()) -> Fields:
    """
    Return the fields of a text by tag.

    Pieces without ``=`` and pieces whose tag is no number are skipped.

    Args:
        text: The fields, joined by ``|``.
        repeatable: Tags that are left out because they may occur repeatedly.

    Raises:
        MessageError: If a tag occurs twice with different values: there is no
            telling which of the two is meant.

    """
    fields: Fields = {}
    for piece in text.split(b"|"):
        name, equals, value = piece.partition(b"=")
        if not equals or not name.isdigit() or len(name) > 9:
            continue
        tag = int(name)
        if tag in repeatable:
            continue
        if fields.setdefault(tag, value) != value:
            raise MessageError(
                f"found two values, {fields[tag][:40]!r} and {value[:40]!r}", tag=tag
            )
    return fields


def code_of(fields: Fields) -> int:
    """
    Return the message code.

    Raises:
        MessageError: If there is none.

    """
    value = fields.get(Tag.CODE, b"")
    if not value.isdigit() or len(value) > 9:
        raise MessageError(f"found {value[:40]!r}, expected a message code", tag=Tag.CODE)
    return int(value)


def number(value: bytes, tag: int) -> int:
    """
    Return an unsigned integer.

    Raises:
        MessageError: If ``value`` is anything else: signed, decimal, empty,
            or too long.

    """
    if not value.isdigit() or len(value) > MAX_DIGITS:
        raise MessageError(f"found {value[:40]!r}, expected an unsigned integer", tag=tag)
    return int(value)


def optional_number(fields: Fields, tag: int) -> int:
    """Return an unsigned integer, 0 if the tag is missing or empty."""
    value = fields.get(tag, b"")
    return number(value, tag) if value else 0


def required_number(fields: Fields, tag: int) -> int:
    """Return an unsigned integer that must be there."""
    value = fields.get(tag)
    if value is None:
        raise MessageError("found nothing, expected an unsigned integer", tag=tag)
    return number(value, tag)


def identifier(value: bytes, tag: int) -> int:
    """Return a market segment or a token: from 1 to 2**31 - 1."""
    found = number(value, tag)
    if not 0 < found <= MAX_ID:
        raise MessageError(f"found {found}, expected 1 to {MAX_ID}", tag=tag)
    return found


def required_identifier(fields: Fields, tag: int) -> int:
    """Return a market segment or a token that must be there."""
    return identifier(fields.get(tag, b""), tag)


def locator(fields: Fields) -> int:
    """
    Return the divisor of scaled prices; 100 if it is missing, empty or 0.

    Raises:
        MessageError: If it is no power of ten. A ``2`` may mean two decimals
            or a divisor, and one of the two shows a wrong price.

    """
    whole, point, fraction = fields.get(Tag.LOCATOR, b"").partition(b".")
    if point and fraction.strip(b"0"):
        raise MessageError("found a fraction, expected a power of ten", tag=Tag.LOCATOR)
    found = number(whole, Tag.LOCATOR) if whole else 0
    if not found:
        return 100
    if found > MAX_LOCATOR or str(found).strip("0") != "1":
        raise MessageError(f"found {found}, expected a power of ten", tag=Tag.LOCATOR)
    return found


def optional_text(fields: Fields, tag: int) -> str:
    """Return a text to hand on; empty if it is missing or not printable ASCII."""
    value = fields.get(tag, b"")
    text = value.decode("ascii", "replace")
    return text if text.isascii() and text.isprintable() else ""


def is_simulated(fields: Fields) -> bool:
    """Tell whether a logon answer says that the feed is a simulator."""
    return fields.get(SIMULATED) == b"1"
