"""Reading files again: all or nothing, one time after the other, told in the log."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from streamer.access import AccessList
from streamer.config import Config
from streamer.errors import ConfigError, InstrumentError
from streamer.instruments import InstrumentTable
from streamer.relisting import Relisting, compare
from streamer.reloading import MAX_LOGGED, MAX_TOLD, Reloader

HEADER = "exchange,token,symbol\n"


class Running:
    """What a server does with files that were read: it uses them."""

    def __init__(self, folder: Path) -> None:
        self.tokens, self.listed = folder / "tokens", folder / "list.csv"
        self.tokens.write_text("first-token alice\n")
        self.listed.write_text(HEADER)
        self.instruments = InstrumentTable.bundled()
        self.access: AccessList | None = None
        self.exchanges = 0
        config = Config(upstream="ws://127.0.0.1:1", tokens=self.tokens, instruments=(self.listed,))
        self.reloader = Reloader(config, relist=self._relist, replace_access=self._take_access)

    def _relist(self, instruments: InstrumentTable) -> Relisting:
        self.exchanges += 1
        relisting = compare(self.instruments, instruments)
        self.instruments = instruments
        return relisting

    def _take_access(self, access: AccessList) -> None:
        self.access = access


async def test_all_files_are_read(tmp_path: Path) -> None:
    """The new list and the new tokens are in use, and counted."""
    running = Running(tmp_path)
    running.listed.write_text(HEADER + "NSE,900001,NEWONE\n")
    reloaded = await running.reloader.reload()
    assert running.instruments.resolve("NEWONE") is not None
    assert running.access is not None
    assert (reloaded.tokens, len(reloaded.relisting.come)) == (1, 1)


async def test_an_alias_that_gives_way_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """R-3: the guide's 424 is nobody's alias when NSE has given that number to a share."""
    running = Running(tmp_path)
    running.listed.write_text(HEADER + "NSE,424,TAKEN\n")
    with caplog.at_level(logging.WARNING, "streamer"):
        await running.reloader.reload()
    assert [each.getMessage() for each in caplog.records] == [
        "alias 424 of NSE gives way to a listed instrument; it stood for 1660"
    ]


@pytest.mark.parametrize("broken", ["tokens", "list"])
async def test_one_broken_file_keeps_all_as_they_were(tmp_path: Path, broken: str) -> None:
    """Not even the sound one is used."""
    running = Running(tmp_path)
    running.listed.write_text(HEADER + "NSE,900001,NEWONE\n")
    (running.tokens if broken == "tokens" else running.listed).write_text("broken\n")
    with pytest.raises((ConfigError, InstrumentError), match="expected"):
        await running.reloader.reload()
    assert (running.exchanges, running.access) == (0, None)
    assert running.instruments.resolve("NEWONE") is None


async def test_two_at_once_come_one_after_the_other(tmp_path: Path) -> None:
    """The second finds what the first has put in place, and nothing new."""
    running = Running(tmp_path)
    running.listed.write_text(HEADER + "NSE,900001,NEWONE\n")
    first, second = await asyncio.gather(running.reloader.reload(), running.reloader.reload())
    assert (len(first.relisting.come), len(second.relisting.come)) == (1, 0)


async def test_what_is_different_is_logged_within_bounds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each renamed and vanished instrument is a warning, as far as anyone would read them."""
    running = Running(tmp_path)
    count = MAX_TOLD + 5
    rows = "".join(f"NSE,{900_000 + number},S{number}\n" for number in range(count))
    running.listed.write_text(HEADER + rows + "NSE,990001,OLDNAME\n")
    await running.reloader.reload()
    running.listed.write_text(HEADER + "NSE,990001,NEWNAME\n")
    with caplog.at_level(logging.INFO, "streamer"):
        reloaded = await running.reloader.reload()
    warnings = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert warnings[0] == "renamed: OLDNAME (NSE) is NEWNAME (NSE) now, token 990001"
    assert warnings[1] == "vanished: S0 (NSE), token 900000, is listed no more"
    assert warnings[-1] == f"vanished: {count - MAX_LOGGED} more"
    assert len(warnings) == 1 + MAX_LOGGED + 1
    answer = reloaded.as_json_dict()
    assert answer["vanished_count"] == count
    vanished = answer["vanished"]
    assert isinstance(vanished, list)
    assert len(vanished) == MAX_TOLD


def test_without_files_there_is_nothing_to_read(tmp_path: Path) -> None:
    """SIGHUP means the end then, as it does for any program."""
    running = Running(tmp_path)
    assert running.reloader.has_files
    bare = Reloader(
        Config(upstream="ws://127.0.0.1:1"),
        relist=running._relist,
        replace_access=running._take_access,
    )
    assert not bare.has_files
