"""The console page in a real browser, in front of a real replay."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from simulator.faults import CATALOGUE
from tests.simulator.browser_page import Page, open_page
from tests.simulator.tapes import counted_rows, write_tape
from tests.simulator.test_replay_run import replaying

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")


COUNT = len(CATALOGUE)


def text(name: str) -> str:
    """What an element of the page says, as JavaScript."""
    return f"document.getElementById('{name}').textContent"


SLIDE = """{
  const slider = document.getElementById('seek');
  slider.value = %d;
  slider.dispatchEvent(new Event('input'));
  slider.dispatchEvent(new Event('change'));
}"""


@asynccontextmanager
async def open_console(url: str) -> AsyncIterator[Page]:
    """Open the console in a browser; it hears of all that happens from now on."""
    async with open_page(url) as page:
        await page.until("events.readyState === EventSource.OPEN")
        yield page


async def test_the_replay_is_shown_and_controlled(tmp_path: Path) -> None:
    """The clock, play and pause, a step, the timeline, the speed; the instruments and events."""
    tape = write_tape(tmp_path / "tape.parquet", counted_rows(1000))
    options = ("--feed-only", "--start-on", "first-client", "--from", "start", "--hold")
    async with replaying(tape, *options) as sim:
        url = (await sim.until(r"Console\s+(http://\S+/)"))[1]
        async with open_console(url) as page:
            await page.until(f"{text('clock')} === '09:15:00' && {text('state')} === 'waiting'")
            await page.until("document.querySelectorAll('#bars rect').length === 1")
            await page.until("document.querySelectorAll('#market tr').length === 2")

            await page.value("document.getElementById('step').click()")
            await page.until(f"{text('clock')} === '09:15:05' && {text('state')} === 'paused'")
            await page.until(f"{text('updates')} === '501'")
            first = "RELIANCE105.00+5.00%100.00105.00100.00251"
            await page.until(f"document.querySelector('#market tr').textContent === '{first}'")
            await page.until("document.querySelectorAll('polyline[points]').length === 2")

            await page.value(SLIDE % 2)
            await page.until(f"{text('clock')} === '09:15:02' && {text('state')} === 'paused'")
            assert await page.value("parseFloat(document.getElementById('head').style.left)") > 15

            await page.value(
                "{ const speed = document.getElementById('speed'); speed.value = '1000';"
                " speed.dispatchEvent(new Event('change')); }"
            )
            await page.until(f"{text('play')} === 'Play'")
            await page.value("document.getElementById('play').click()")
            await page.until(f"{text('state')} === 'completed'")
            await page.until(f"{text('events')}.includes('completed')")
            events = await page.value(text("events"))
            for name in ("started", "paused", "seeked", "speed, speed 1000", "resumed"):
                assert name in events

            await page.value("{ command({ command: 'seek', to: '08:00:00' }); }")
            await page.until(f"{text('problem')}.includes('a time in the window')")
            page.complaints = [each for each in page.complaints if "400" not in each]
            await page.value(
                "{ const find = document.getElementById('find'); find.value = 'sbi';"
                " find.dispatchEvent(new Event('input')); }"
            )
            await page.until("document.querySelectorAll('#market tr').length === 1")
            assert page.complaints == []


CHOOSE = """{
  const fault = document.getElementById('fault');
  fault.value = '%s';
  fault.dispatchEvent(new Event('change'));
}"""
RUNNING = "[...document.querySelectorAll('#faults li')].map((each) => each.textContent).join()"


async def test_faults_are_switched(tmp_path: Path) -> None:
    """Each kind with its options; one is begun, seen while it runs, and ended."""
    tape = write_tape(tmp_path / "tape.parquet", counted_rows(1000))
    options = ("--feed-only", "--start-on", "first-client", "--from", "start")
    async with replaying(tape, *options, "--fault", "reset@09:15:09") as sim:
        url = (await sim.until(r"Console\s+(http://\S+/)"))[1]
        async with open_console(url) as page:
            await page.until(f"document.querySelectorAll('#fault option').length === {COUNT}")
            await page.until(f"{RUNNING} === 'to comeresetat 09:15:09Remove'")
            await page.value(CHOOSE % "drip")
            names = "[...document.querySelectorAll('#options input')].map((each) => each.name)"
            assert await page.value(f"{names}.join()") == "bytes,gap"
            assert "Sends a few bytes at a time." in await page.value(text("does"))
            assert await page.value("document.getElementById('lasts').value") == "4"
            await page.value("document.querySelector('#options input').value = '32'")
            await page.value("document.getElementById('lasts').value = '6'")
            await page.value("document.getElementById('fault-form').requestSubmit()")
            await page.until(f"{RUNNING}.startsWith('runningdrip:bytes=32,gap=1until 09:15:06End')")
            await page.until(f"{text('events')}.includes('fault begins: drip:bytes=32')")
            await page.value("document.querySelector('#faults button').click()")
            await page.until(f"{RUNNING} === 'to comeresetat 09:15:09Remove'")
            await page.until(f"{text('events')}.includes('fault ends: drip')")
            await page.value("document.querySelector('#faults button').click()")
            await page.until(f"{text('sound')} === 'Nothing runs, nothing is to come.'")

            await page.value(CHOOSE % "reset")
            assert await page.value("document.getElementById('lasts').value") == ""
            await page.value("document.getElementById('fault-form').requestSubmit()")
            await page.until(f"{RUNNING} === 'runningresetuntil 09:15:01End'")
            await page.value("command({ command: 'fault', fault: 'resett' }, 'fault-problem')")
            await page.until(f"{text('fault-problem')}.includes('expected reset')")
            page.complaints = [each for each in page.complaints if "400" not in each]
            assert page.complaints == []


async def test_it_fits_every_window_and_taste(tmp_path: Path) -> None:
    """Nothing is cut off at the side, wide or narrow; light and dark differ."""
    tape = write_tape(tmp_path / "tape.parquet", counted_rows(1000))
    async with replaying(tape, "--feed-only", "--start-on", "first-client") as sim:
        url = (await sim.until(r"Console\s+(http://\S+/)"))[1]
        async with open_console(url) as page:
            papers = set()
            for width, height in ((1280, 800), (390, 844)):
                for scheme in ("light", "dark"):
                    await page.look(width=width, height=height, scheme=scheme)
                    await page.until("document.querySelectorAll('#market tr').length === 2")
                    await page.until(f"window.innerWidth === {width}")
                    assert await page.value("document.scrollingElement.scrollWidth") <= width
                    papers.add(await page.value("getComputedStyle(document.body).backgroundColor"))
            assert len(papers) == 2
