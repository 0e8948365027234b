"""What a run tells on the terminal: a line a case; for a failure, what was expected and found."""

from __future__ import annotations

import sys
from typing import Final, TextIO

from rich.console import Console
from rich.markup import escape

from conformance.case import Case, Level
from conformance.report import again
from conformance.runner import Run
from conformance.verdicts import Result, Status, Verdict, counts

__all__ = ["Told"]

_STYLES: Final = {
    Verdict.PASS: "green",
    Verdict.NON_STRICT: "yellow",
    Verdict.FAIL: "bold red",
    Verdict.INFO: "cyan",
    Verdict.SKIP: "dim",
    Verdict.INCONCLUSIVE: "magenta",
    Verdict.ERROR: "bold red",
}
_WIDTH: Final = 12


class Told:
    """
    Writes lines as results come.

    Args:
        quiet: Tell only of what did not pass.
        file: Where to; standard output by default.

    """

    def __init__(self, *, quiet: bool = False, file: TextIO | None = None) -> None:
        self._quiet = quiet
        self._console = Console(file=file or sys.stdout, highlight=False, soft_wrap=True)

    def begins(self, run: Run) -> None:
        """Tell what is judged."""
        settings = run.settings
        self._console.print(
            f"{escape(run.target.name)}: {len(run.cases)} cases, profile"
            f" {settings.profile.name.lower()}, seed {settings.seed}"
        )

    def case_begins(self, case: Case) -> None:
        """Show on a terminal what is being run."""
        if self._console.is_terminal and not self._quiet:
            self._console.print(f"{'…':<{_WIDTH}} {case.id}", end="\r")

    def result(self, result: Result) -> None:
        """Tell of one result."""
        verdict, case = result.verdict, result.case
        if self._quiet and verdict in (Verdict.PASS, Verdict.SKIP, Verdict.INFO):
            return
        style = _STYLES[verdict]
        level = "" if case.level is Level.MUST else f" ({case.level.value})"
        line = f"[{style}]{verdict.value:<{_WIDTH}}[/] {case.id:<26} {escape(case.title)}{level}"
        if result.seconds >= 0.0005:
            line += f" [dim]{result.seconds * 1000:.0f} ms[/]"
        self._console.print(line)
        if result.unexpected_pass:
            self._say("passed, but the target file expects a failure", result.expected_failure)
        elif result.expected_failure and verdict is Verdict.FAIL:
            self._say("expected failure", result.expected_failure)
        if result.expected:
            self._say("expected", result.expected)
            self._say("found", result.found)
            if result.seen_in:
                self._say("seen in", ", ".join(result.seen_in))
        elif result.why and verdict is not Verdict.PASS:
            self._say("why", result.why)
        for line in result.trace.splitlines():
            self._console.print(f"    [dim]{escape(line)}[/]")
        for name, value in result.measured.items():
            if verdict is Verdict.INFO:
                self._say(name, str(value))

    def ends(self, run: Run, status: Status) -> None:
        """Tell how it ended."""
        tally = counts(run.results)
        parts = [
            f"[{_STYLES[verdict]}]{tally[verdict]} {verdict.value}[/]"
            for verdict in Verdict
            if tally[verdict]
        ]
        self._console.print(f"\n{', '.join(parts) or 'nothing was run'} in {run.seconds:.1f} s")
        for name, why in run.clock_refusals.items():
            self._console.print(f"clock driver {name} is not used: {escape(why)}")
        failed = [result for result in run.results if result.is_failure(run.settings.profile)]
        if failed:
            self._console.print("To run the first failure alone:")
            self._console.print(f"  {escape(again(run, failed[0]))}")
        if status is Status.INCONCLUSIVE:
            self._console.print(
                f"{tally[Verdict.INCONCLUSIVE]} cases could not be judged, more than"
                " --allow-inconclusive allows."
            )
        if status is Status.INTERRUPTED:
            self._console.print("Interrupted; the cases that are left were not run.")

    def _say(self, what: str, text: str) -> None:
        self._console.print(f"    {what + ':':<10} {escape(text)}")
