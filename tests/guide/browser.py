"""
Headless Chromium with a page that tells the test what its console shows.

The page is served on loopback by the test's own small server, and posts each
line of its console, and each uncaught error, back to it, in order.
"""

from __future__ import annotations

import json
import queue
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import pytest

from tests.guide.program import DEADLINE_S, Program, require

CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

SWITCHES: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
)

# Runs before the page's own script. Reports go one after the other, so that
# they arrive in the order in which the console showed them.
REPORTER: Final = """
let reports = Promise.resolve();
function report(...line) {
    const body = JSON.stringify(line);
    reports = reports.then(() => fetch('/report', { method: 'POST', body }));
}
for (const level of ['log', 'error']) {
    const show = console[level].bind(console);
    console[level] = (...line) => { show(...line); report(...line); };
}
window.addEventListener('error', (event) => report('Uncaught', event.message));
"""

Line = list[Any]


def page(script: str) -> str:
    """Return a page that runs ``script`` and reports what its console shows."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<title>The guide\'s example</title>\n<link rel="icon" href="data:,">\n</head>\n<body>\n'
        f"<script>{REPORTER}</script>\n<script>\n{script}\n</script>\n</body>\n</html>\n"
    )


class Console:
    """What the page's console showed, line by line."""

    def __init__(self) -> None:
        self.shown: list[Line] = []
        """The lines so far, as far as they were waited for."""
        self.reported: queue.SimpleQueue[Line] = queue.SimpleQueue()

    def expect(
        self, accept: Callable[[Line], object], what: str, *, timeout_s: float = DEADLINE_S
    ) -> Line:
        """Wait for a line that is accepted, passing over the lines before it."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                line = self.reported.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                shown = "\n".join(json.dumps(line) for line in self.shown)
                pytest.fail(f"no {what} within {timeout_s:g} s; the console showed:\n{shown}")
            self.shown.append(line)
            if line[0] == "Uncaught":
                pytest.fail(f"the page threw: {line[1]}")
            if accept(line):
                return line

    def expect_text(self, text: str) -> Line:
        """Wait for a line that begins with ``text``."""
        return self.expect(lambda line: line[0] == text, repr(text))


@contextmanager
def open_page(script: str) -> Iterator[Console]:
    """Open a page that runs ``script`` in a browser with no past; yield its console."""
    chromium = require(*CHROMIUM)
    console = Console()
    with (
        serving(page(script), console) as url,
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        Program([chromium, *SWITCHES, f"--user-data-dir={profile}", url]),
    ):
        yield console


@contextmanager
def serving(html: str, console: Console) -> Iterator[str]:
    """Serve one page on a free port of 127.0.0.1 and take its reports; yield its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(200, html.encode())

        def do_POST(self) -> None:
            console.reported.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._answer(204)

        def _answer(self, status: int, body: bytes = b"") -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    with server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
