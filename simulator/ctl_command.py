"""``odin-sim ctl``: asks a running replay for something through its control port."""

from __future__ import annotations

import json
import sys
from typing import Any, NoReturn

import click

STATUS_REFUSED = 1

EXAMPLES = """
\b
Examples:
  odin-sim ctl pause
  odin-sim ctl speed 10
  odin-sim ctl seek 14:30:00
  odin-sim ctl step 5
  odin-sim ctl fault drop:share=0.1+5m
  odin-sim ctl --control-port 4610 status --json

\b
Exit status:
  0  done
  1  refused, or no replay was reached; the message says why
  2  wrong usage
"""

# A step over a whole day takes as long as its clients need to read it.
_LONGEST_S = 3_600.0
_CONNECT_S = 5.0


@click.group(epilog=EXAMPLES)
@click.option("--host", default="localhost", show_default=True, help="Where the replay runs.")
@click.option(
    "--control-port",
    default=4510,
    show_default=True,
    type=click.IntRange(1, 65535),
    help="Its control port.",
)
@click.pass_context
def ctl(context: click.Context, host: str, control_port: int) -> None:
    """Control a replay that is running: its clock, its speed, what goes wrong on its feed."""
    context.obj = (host, control_port)


@ctl.command()
@click.pass_obj
def pause(where: tuple[str, int]) -> None:
    """Stop the clock; the feed goes on telling the time."""
    _ask(where, {"command": "pause"})


@ctl.command()
@click.pass_obj
def resume(where: tuple[str, int]) -> None:
    """Let the clock run on; start it, if it waits for a client."""
    _ask(where, {"command": "resume"})


@ctl.command()
@click.argument("value", metavar="N|max")
@click.pass_obj
def speed(where: tuple[str, int], value: str) -> None:
    """Run at N simulated seconds per second, 0.01 to 10000, or as fast as it goes."""
    from simulator.clock import parse_rate

    try:
        parse_rate(value)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    _ask(where, {"command": "speed", "value": value})


@ctl.command()
@click.argument("to", metavar="HH:MM:SS")
@click.pass_obj
def seek(where: tuple[str, int], to: str) -> None:
    """
    Go to a time in India, forwards or back; with YYYY-MM-DD before it, on another day.

    Clients stay connected and get the new state of what they subscribe.
    """
    _ask(where, {"command": "seek", "to": _moment(to)})


@ctl.command()
@click.argument("length", metavar="SECONDS|HH:MM:SS")
@click.pass_obj
def step(where: tuple[str, int], length: str) -> None:
    """Play so many seconds, or up to a time, as fast as it goes; then pause."""
    if ":" in length:
        _ask(where, {"command": "step", "to": _moment(length)})
        return
    try:
        seconds = float(length)
    except ValueError:
        raise click.UsageError(f"{length!r} found; seconds or HH:MM:SS expected") from None
    _ask(where, {"command": "step", "seconds": seconds})


@ctl.command()
@click.argument("passes", metavar="N|forever")
@click.pass_obj
def loop(where: tuple[str, int], passes: str) -> None:
    """Replay the window N times in all, the present pass included."""
    if passes != "forever" and not (passes.isascii() and passes.isdigit()):
        raise click.UsageError(f"{passes!r} found; a number from 1 on, or forever, expected")
    _ask(where, {"command": "loop", "passes": passes if passes == "forever" else int(passes)})


FAULT_EXAMPLES = """
\b
Examples:
  odin-sim ctl fault reset
  odin-sim ctl fault 'drop:share=0.1+5m'
  odin-sim ctl fault 'mute@10:30:00+20s'
  odin-sim ctl fault list
  odin-sim ctl fault clear
  odin-sim ctl fault clear drop
  odin-sim ctl fault clear 3
"""


@ctl.command(epilog=FAULT_EXAMPLES)
@click.argument("what", metavar="NAME[:option=value,...][@HH:MM:SS][+4s]|list|clear")
@click.argument("which", required=False, metavar="[NAME|NUMBER]")
@click.option("--json", "as_json", is_flag=True, help="The list, for programs.")
@click.pass_obj
def fault(where: tuple[str, int], what: str, which: str | None, as_json: bool) -> None:
    """
    Make the feed go wrong from now on, or at a time; list that, or end it.

    odin-sim faults lists what there is. A fault from now on comes once; one
    with a time is planned for it, each day and in each pass. Lengths are in
    simulated time: while the clock stands, they last.

    clear ends what runs, all of it or what has a NAME. With a NUMBER of the
    list it takes one fault away, also one that is yet to come.
    """
    text = what if what in ("list", "clear") else _fault(what)
    if what != "clear" and which is not None:
        raise click.UsageError(
            f"{which!r} found behind {what}; nothing expected: options are written within the"
            " fault, as drop:share=0.1+5m"
        )
    if what == "list":
        body: dict[str, object] | None = None
    elif what == "clear":
        body = {"command": "clear-fault"}
        if which is not None:
            is_number = which.isascii() and which.isdigit()
            body |= {"number": int(which)} if is_number else {"name": which}
    else:
        body = {"command": "fault", "fault": text}
    answer = _answer(where, body)
    try:
        if as_json:
            click.echo(json.dumps(answer["faults"], indent=2))
            return
        click.echo(_line(answer))
        click.echo(_list_of_faults(answer["faults"]))
    except (KeyError, TypeError):
        _unreachable(where, "what answers there is no replay")


@ctl.command()
@click.option("--json", "as_json", is_flag=True, help="All of it, for programs.")
@click.pass_obj
def status(where: tuple[str, int], as_json: bool) -> None:
    """Tell how the replay stands."""
    _ask(where, None, as_json=as_json)


def _moment(text: str) -> str:
    from simulator.commands import parse_command

    try:
        parse_command({"command": "seek", "to": text}, now=0)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return text


def _fault(text: str) -> str:
    from simulator.commands import parse_command

    try:
        parse_command({"command": "fault", "fault": text}, now=0)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return text


def _list_of_faults(faults: list[dict[str, Any]]) -> str:
    if not faults:
        return "No fault is running or planned; odin-sim faults lists what there is."
    return "\n".join(
        f"{each['number']:>4}  {each['phase']:<8} {each['fault']}"
        + (f"  until {each['ends']}" if "ends" in each else "")
        for each in faults
    )


def _ask(
    where: tuple[str, int], command: dict[str, object] | None, *, as_json: bool = False
) -> None:
    """Send a command, or ask for the status alone; print how the replay stands."""
    answer = _answer(where, command)
    try:
        click.echo(json.dumps(answer, indent=2) if as_json else _line(answer))
    except (KeyError, TypeError):
        _unreachable(where, "what answers there is no replay")


def _answer(where: tuple[str, int], command: dict[str, object] | None) -> Any:
    """Return how the replay stands after a command, or now; end if that was refused."""
    status, answer = _exchange(where, command)
    if status != 200:
        said = answer.get("message") if isinstance(answer, dict) else None
        click.echo(f"Refused: {said or f'HTTP status {status}'}", err=True)
        sys.exit(STATUS_REFUSED)
    return answer


def _exchange(where: tuple[str, int], command: dict[str, object] | None) -> tuple[int, Any]:
    import http.client

    host, port = where
    connection = http.client.HTTPConnection(host, port, timeout=_CONNECT_S)
    try:
        connection.connect()
        connection.sock.settimeout(_LONGEST_S)
        if command is None:
            connection.request("GET", "/status")
        else:
            body = json.dumps(command)
            connection.request("POST", "/control", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    except OSError as error:
        _unreachable(where, error.strerror or str(error) or type(error).__name__)
    except (http.client.HTTPException, ValueError):
        _unreachable(where, "what answers there is no replay")
    finally:
        connection.close()


def _unreachable(where: tuple[str, int], why: str) -> NoReturn:
    host, port = where
    click.echo(
        f"No replay was reached at {host}:{port} ({why}); expected a running odin-sim replay"
        f" with --control-port {port}",
        err=True,
    )
    sys.exit(STATUS_REFUSED)


def _line(answer: dict[str, Any]) -> str:
    speed = answer["speed"]
    state = "paused" if answer["paused"] else answer["ended"]
    passes = f"{answer['passes'] + 1} of {answer['passes_wanted'] or 'endless'}"
    if answer["ended"] == "completed":
        passes = f"{answer['passes']} done"
    return " · ".join(
        [
            f"{answer['time'][:19].replace('T', ' ')} IST",
            state,
            "as fast as it goes" if speed == "max" else f"{speed:g}x",
            f"pass {passes}" if answer["days"] is None else f"day {answer['days'] + 1}",
            f"{answer['updates']:,} updates",
            f"{answer['clients']} client{'' if answer['clients'] == 1 else 's'}",
        ]
    )
