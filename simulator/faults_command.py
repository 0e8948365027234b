"""``odin-sim faults``: the catalogue of faults, for people and for programs."""

from __future__ import annotations

import json

import click

EXAMPLES = """
\b
Examples:
  odin-sim faults
  odin-sim faults --json
  odin-sim replay day.parquet --fault reset@09:20:00 --fault 'drop:share=0.1@09:30:00+5m'

\b
Exit status:
  0  listed
  2  wrong usage
"""


@click.command(epilog=EXAMPLES)
@click.option("--json", "as_json", is_flag=True, help="Print the catalogue for programs.")
def faults(as_json: bool) -> None:
    """
    List what the feed can be made to do wrong.

    A fault is planned as NAME[:option=value,...]@HH:MM:SS[+4s]: its options
    have defaults, its time is the replay's own, in India, and +4s says how
    many simulated seconds it lasts.
    """
    from simulator.faults import CATALOGUE, described

    if as_json:
        click.echo(json.dumps([described(fault) for fault in CATALOGUE], indent=2))
        return
    layer = ""
    for fault in CATALOGUE:
        if fault.layer != layer:
            layer = fault.layer
            click.echo(f"{'' if fault is CATALOGUE[0] else chr(10)}{layer}")
        lasts = f"lasts {fault.lasts_s} s" if fault.lasts_s else "a moment"
        click.echo(f"  {fault.name:<16} {fault.summary}  [{lasts}]")
        for option in fault.options:
            click.echo(f"  {'':<16}   {option.name}={option.default:g}  {option.unit}")
