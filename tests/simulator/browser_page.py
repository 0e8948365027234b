"""A page in headless Chromium that a test looks at and uses, through the browser's own protocol."""

from __future__ import annotations

import asyncio
import json
import tempfile
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.guide.browser import CHROMIUM, SWITCHES
from tests.guide.program import Program, require

DEADLINE_S = 40.0
_LOOK_AGAIN_S = 0.05


class Page:
    """One open page."""

    def __init__(self, socket: ClientConnection) -> None:
        self.complaints: list[str] = []
        """Uncaught errors, and what the browser refused to do for the page."""
        self._socket = socket
        self._number = 0

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the browser's protocol; return its result."""
        self._number += 1
        await self._socket.send(
            json.dumps({"id": self._number, "method": method, "params": params})
        )
        while True:
            answer = json.loads(await self._socket.recv())
            if answer.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.complaints.append(json.dumps(answer["params"]))
            if answer.get("id") == self._number:
                found: dict[str, Any] = answer["result"]
                return found

    async def value(self, expression: str) -> Any:
        """Return what a JavaScript expression is."""
        answer = await self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, expression: str) -> None:
        """Return when a JavaScript expression is true; look at the page at its own pace."""
        async with asyncio.timeout(DEADLINE_S):
            while not await self.value(expression):  # noqa: ASYNC110
                await asyncio.sleep(_LOOK_AGAIN_S)

    async def look(self, *, width: int, height: int, scheme: str = "light") -> None:
        """Give the window a size, and the user a taste."""
        await self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        await self.ask(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )


@asynccontextmanager
async def open_page(url: str) -> AsyncIterator[Page]:
    """Open a page in a browser with no past."""
    chromium = require(*CHROMIUM)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [chromium, *SWITCHES, f"--user-data-dir={profile}", "--remote-debugging-port=0"]
        with Program([*command, "about:blank"]) as browser:
            found = await asyncio.to_thread(
                browser.expect, r"DevTools listening on ws://([\d.]+:\d+)/"
            )
            targets = await asyncio.to_thread(_targets, f"http://{found[1]}/json/list")
            (own,) = (each for each in targets if each["type"] == "page")
            async with connect(own["webSocketDebuggerUrl"], max_size=None, proxy=None) as socket:
                page = Page(socket)
                await page.ask("Runtime.enable")
                await page.ask("Log.enable")
                await page.ask("Page.navigate", url=url)
                await page.until("document.readyState === 'complete' && location.port !== ''")
                yield page


def _targets(url: str) -> list[dict[str, Any]]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        found: list[dict[str, Any]] = json.loads(answer.read())
        return found
