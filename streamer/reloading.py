"""
Reading the operator's files again while the server runs: all of them, or nothing changes.

What is read are the lists of instruments and the access tokens. Reading goes
on in a thread, so that quotes do not wait for it; the exchange of the old for
the new is one step between two of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from streamer.access import AccessList
from streamer.config import Config
from streamer.instruments import InstrumentTable
from streamer.loading import instrument_table
from streamer.relisting import Relisting, Renamed, Vanished

_logger = logging.getLogger("streamer")

MAX_TOLD: Final = 1000
"""How many renamed, and how many vanished instruments an answer lists; all are counted."""

MAX_LOGGED: Final = 20


class Reloaded(msgspec.Struct, frozen=True):
    """What came of it; ``tokens`` is None where none are in use."""

    relisting: Relisting
    tokens: int | None

    def as_json_dict(self) -> dict[str, object]:
        """Return it as JSON values."""
        relisting = self.relisting
        return {
            "status": "success",
            "instruments": relisting.listed,
            "added": len(relisting.come),
            "changed": relisting.changed,
            "renamed_count": len(relisting.renamed),
            "renamed": [_renamed_json(each) for each in relisting.renamed[:MAX_TOLD]],
            "vanished_count": len(relisting.vanished),
            "vanished": [_vanished_json(each) for each in relisting.vanished[:MAX_TOLD]],
            "tokens": self.tokens,
        }


class Reloader:
    """
    Reads files again, one time after the other.

    Args:
        config: Names the files.
        relist: Puts a list of instruments in the place of the one in use.
        replace_access: Puts a list of tokens in the place of the one in use.

    """

    def __init__(
        self,
        config: Config,
        *,
        relist: Callable[[InstrumentTable], Relisting],
        replace_access: Callable[[AccessList], None],
    ) -> None:
        self._config = config
        self._relist = relist
        self._replace_access = replace_access
        self._one_at_a_time = asyncio.Lock()

    @property
    def has_files(self) -> bool:
        """Whether there is anything to read again."""
        return bool(self._config.tokens or self._config.instruments)

    async def reload(self) -> Reloaded:
        """
        Read all files again and use what they say now.

        Raises:
            OdinError: If any of them cannot be used. Everything stays as it was.

        """
        async with self._one_at_a_time:
            access, instruments = await asyncio.to_thread(_read, self._config)
            reloaded = Reloaded(self._relist(instruments), None if access is None else len(access))
            if access is not None:
                _logger.info("%d tokens read from %s", len(access), self._config.tokens)
                self._replace_access(access)
        relisting = reloaded.relisting
        _logger.info(
            "%d instruments read: %d added, %d changed, %d renamed, %d vanished",
            relisting.listed,
            len(relisting.come),
            relisting.changed,
            len(relisting.renamed),
            len(relisting.vanished),
        )
        _warn("renamed", relisting.renamed)
        _warn("vanished", relisting.vanished)
        return reloaded


def read_instruments(config: Config) -> InstrumentTable:
    """
    Return the bundled instruments joined by those of the operator's files.

    An alias that gives way to one of them is logged (rule R-3): a client may
    still mean what the alias stood for.

    Raises:
        InstrumentError: If a file is unusable.

    """
    table = instrument_table(config.instruments)
    for alias in table.shadowed_aliases:
        _logger.warning(
            "alias %s of %s gives way to a listed instrument; it stood for %s",
            alias.alias,
            alias.exchange,
            alias.stands_for,
        )
    return table


def _read(config: Config) -> tuple[AccessList | None, InstrumentTable]:
    access = None if config.tokens is None else AccessList.load(config.tokens)
    return access, read_instruments(config)


def _warn(what: str, each: Sequence[Renamed | Vanished]) -> None:
    for one in each[:MAX_LOGGED]:
        _logger.warning("%s: %s", what, one)
    if len(each) > MAX_LOGGED:
        _logger.warning("%s: %d more", what, len(each) - MAX_LOGGED)


def _renamed_json(renamed: Renamed) -> dict[str, object]:
    before, after = renamed.before, renamed.after
    return {
        "exchange": after.exchange,
        "token": str(after.token),
        "from": before.symbol,
        "to": after.symbol,
        "isin_changed": renamed.is_doubtful,
    }


def _vanished_json(vanished: Vanished) -> dict[str, object]:
    gone, new = vanished.instrument, vanished.successor
    return {
        "exchange": gone.exchange,
        "token": str(gone.token),
        "symbol": gone.symbol,
        "successor": None if new is None else {"token": str(new.token), "symbol": new.symbol},
    }
