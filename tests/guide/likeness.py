"""Whether a message is what the guide prints."""

from __future__ import annotations

from collections.abc import Collection


def assert_like(
    printed: object,
    sent: object,
    *,
    varying: Collection[str] = (),
    nullable: Collection[str] = (),
    where: str = "message",
) -> None:
    """
    Hold that ``sent`` is what is ``printed``, perhaps with more keys after the printed ones.

    Args:
        printed: JSON from the page.
        sent: JSON from the server.
        varying: Keys whose values are examples: only their type must be the printed one.
        nullable: Keys whose values may be null instead.
        where: What is compared, for messages.

    """
    assert kind(sent) == kind(printed), f"{where} is {sent!r}; the guide prints {printed!r}"
    if isinstance(printed, dict):
        assert isinstance(sent, dict)
        present = [key for key in sent if key in printed]
        assert present == list(printed), f"{where} has other keys, or in another order"
        for key, value in printed.items():
            inside = f"{where}.{key}"
            if key in nullable and sent[key] is None:
                continue
            if key in varying:
                assert kind(sent[key]) == kind(value), f"{inside} is {sent[key]!r}"
            else:
                assert_like(value, sent[key], varying=varying, nullable=nullable, where=inside)
    else:
        assert sent == printed, f"{where} is {sent!r}; the guide prints {printed!r}"


def kind(value: object) -> str:
    """Return the JSON type of a value; a whole number is a number like any other."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"
    raise TypeError(f"{type(value).__name__} is no JSON type")
