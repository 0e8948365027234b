"""
The command ``odin-conformance``: options in, exit status out.

Whatever takes long to import is imported by the command that needs it.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from conformance.report_commands import compare, report, write_forms

if TYPE_CHECKING:
    from conformance.case import Case
    from conformance.runner import Run
    from conformance.target import Target
    from conformance.verdicts import Status

STATUSES = """
\b
Exit status:
  0    every MUST that was judged passed
  1    failures
  2    wrong usage
  3    the server could not be reached, or did not start
  4    more cases were inconclusive than --allow-inconclusive allows
  130  interrupted
"""

RUN_EXAMPLES = f"""
\b
Examples:
  odin-conformance run ws://localhost:8080
  odin-conformance run --target conformance/targets/streamer.toml
  odin-conformance run --target my.toml --case 'SUB-*' --case PER-010
  odin-conformance run ws://localhost:8080 --profile guide --allow-inconclusive 999 --json out.json
  odin-conformance run --target my.toml --html report.html --junit report.xml
{STATUSES}"""

LIST_EXAMPLES = """
\b
Examples:
  odin-conformance list
  odin-conformance list --case 'MKT-*' --json
"""

EXPLAIN_EXAMPLES = """
\b
Examples:
  odin-conformance explain SUB-020
  odin-conformance explain MSG-900
"""

_FILE = click.Path(dir_okay=False, path_type=Path)
_PROFILES = ("guide", "full", "strict")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="odin-streamer")
def cli() -> None:
    """Judge whether a server speaks the client protocol, keeps subscriptions and market hours."""


_case_option = click.option(
    "--case",
    "patterns",
    multiple=True,
    metavar="ID",
    help="Only these: an id, a family, or a pattern with * and ?; !ID leaves out. Can be given"
    " again.",
)


@cli.command(epilog=RUN_EXAMPLES)
@click.argument("url", required=False)
@click.option(
    "--target", type=_FILE, metavar="FILE.toml", help="Describes the server, and how it is started."
)
@_case_option
@click.option(
    "--profile",
    default="full",
    show_default=True,
    type=click.Choice(_PROFILES),
    help="guide: what the integration guide itself states. full: all rules of the client protocol."
    " strict: with tight tolerances, and every SHOULD a MUST.",
)
@click.option(
    "--timeout-scale",
    "scale",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Multiplies every deadline, for slow machines and far servers.",
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(min=0),
    help="Chooses whatever is random.",
)
@click.option(
    "--allow-inconclusive",
    default=0,
    show_default=True,
    type=click.IntRange(min=0),
    help="How many cases may be inconclusive.",
)
@click.option("--json", "json_path", type=_FILE, metavar="FILE", help="Write the JSON report.")
@click.option(
    "--html",
    type=_FILE,
    metavar="FILE",
    help="Write a page for people, in one file: what failed, and how to run it again.",
)
@click.option("--junit", type=_FILE, metavar="FILE", help="Write JUnit XML.")
@click.option("--quiet", "-q", is_flag=True, help="Tell only of what did not pass.")
def run(
    url: str | None,
    target: Path | None,
    patterns: tuple[str, ...],
    profile: str,
    scale: float,
    seed: int,
    allow_inconclusive: int,
    json_path: Path | None,
    html: Path | None,
    junit: Path | None,
    quiet: bool,
) -> None:
    """
    Judge a server: one that runs at URL, or one that a target file describes.

    Without a target file nothing but the address is known: cases that need
    known ticks, a market time that can be moved or a restart are inconclusive.
    """
    from conformance.case import Profile
    from conformance.console import Told
    from conformance.runner import Run, Settings
    from conformance.verdicts import Status

    settings = Settings(profile=Profile[profile.upper()], scale=scale, seed=seed)
    for path in (json_path, html, junit):
        if path is not None and not path.absolute().parent.is_dir():
            raise click.UsageError(f"there is no folder {path.absolute().parent}")
    told = Told(quiet=quiet)
    chosen_run = Run(
        target=_target(url, target),
        cases=_chosen(patterns),
        settings=settings,
        tell=told.result,
        begin=told.case_begins,
    )
    told.begins(chosen_run)
    status = _judge(chosen_run, allow_inconclusive)
    if status is not Status.UNREACHABLE:
        told.ends(chosen_run, status)
    _write(chosen_run, status, json_path, html, junit)
    sys.exit(status)


def _write(
    run: Run, status: Status, json_path: Path | None, html: Path | None, junit: Path | None
) -> None:
    from conformance import report
    from conformance.reported import of_document

    document = report.document(run, status, sys.argv[1:])
    if json_path is not None:
        try:
            report.write(json_path, document)
        except OSError as error:
            raise click.FileError(str(json_path), error.strerror) from None
    if html is not None or junit is not None:
        write_forms([of_document(document)], html=html, junit=junit)


def _judge(run: Run, allow_inconclusive: int) -> Status:
    from conformance.runner import Unreachable
    from conformance.verdicts import Status, exit_status

    try:
        asyncio.run(_until_ended(run))
    except Unreachable as error:
        click.echo(f"Error: {error}", err=True)
        return Status.UNREACHABLE
    except (KeyboardInterrupt, asyncio.CancelledError):
        return Status.INTERRUPTED
    return exit_status(
        run.results, profile=run.settings.profile, allow_inconclusive=allow_inconclusive
    )


async def _until_ended(run: Run) -> None:
    """Run; SIGTERM ends it as Ctrl-C does."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await run.run()


@cli.command("list", epilog=LIST_EXAMPLES)
@_case_option
@click.option("--profile", type=click.Choice(_PROFILES), help="Only what it judges.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_cases(patterns: tuple[str, ...], profile: str | None, as_json: bool) -> None:
    """List the cases."""
    from conformance.case import Profile

    cases = _chosen(patterns)
    if profile is not None:
        cases = [case for case in cases if case.profile <= Profile[profile.upper()]]
    if as_json:
        import orjson

        click.echo(orjson.dumps([_facts(case) for case in cases]).decode())
        return
    for case in cases:
        needs = f"  needs {', '.join(sorted(need.value for need in case.needs))}"
        click.echo(
            f"{case.id:<26} {case.level.value:<6} {case.profile.name.lower():<6}"
            f" {case.title}{needs if case.needs else ''}"
        )


@cli.command(epilog=EXPLAIN_EXAMPLES)
@click.argument("id")
def explain(id: str) -> None:
    """Tell what a case judges, by which rule and why."""
    from conformance.rules import rule

    for number, case in enumerate(_chosen((id,))):
        if number:
            click.echo()
        click.echo(f"{case.id}  {case.title}")
        click.echo(f"{case.level.value}, judged in profile {case.profile.name.lower()} and above")
        if case.needs:
            click.echo(f"needs {', '.join(sorted(need.value for need in case.needs))}")
        click.echo(f"\n{case.explain}\n")
        for name in case.rules:
            click.echo(f"{name}: {rule(name)}")


cli.add_command(compare)
cli.add_command(report)


def _target(url: str | None, path: Path | None) -> Target:
    from conformance.target import Target, TargetError

    if (url is None) == (path is None):
        raise click.UsageError("either a URL or --target expected")
    try:
        return Target.of_url(url) if url is not None else Target.of_file(path)  # type: ignore[arg-type]
    except TargetError as error:
        raise click.UsageError(str(error)) from None


def _chosen(patterns: tuple[str, ...]) -> list[Case]:
    from conformance.case import catalogue, chosen
    from conformance.cases import load

    load()
    cases = chosen(catalogue(), patterns)
    if not cases:
        raise click.UsageError(
            f"no case is named by {', '.join(patterns)}; odin-conformance list shows all"
        )
    return cases


def _facts(case: Case) -> dict[str, Any]:
    return {
        "id": case.id,
        "title": case.title,
        "level": case.level.value,
        "profile": case.profile.name.lower(),
        "needs": sorted(need.value for need in case.needs),
        "rules": list(case.rules),
    }


def main() -> None:
    """Run the command."""
    cli(prog_name="odin-conformance")


if __name__ == "__main__":
    main()
