"""``odin-streamer asyncapi``: the client protocol for programs, as JSON or YAML."""

from __future__ import annotations

from typing import Final

import click

EXAMPLES: Final = """
\b
Examples:
  odin-streamer asyncapi > asyncapi.json
  odin-streamer asyncapi --yaml > docs/asyncapi.yaml

\b
Exit status:
  0  printed
  1  --yaml, and PyYAML is not installed
  2  wrong usage
"""


@click.command(epilog=EXAMPLES)
@click.option("--yaml", "as_yaml", is_flag=True, help="Print YAML; PyYAML has to be installed.")
def asyncapi(as_yaml: bool) -> None:
    """
    Print the client protocol as an AsyncAPI 3 document.

    A running server gives the same at /asyncapi.json.
    """
    from importlib.metadata import version

    import msgspec

    from streamer.asyncapi import document

    told = document(version("odin-streamer"))
    if not as_yaml:
        click.echo(msgspec.json.format(msgspec.json.encode(told)))
        return
    try:
        import yaml
    except ImportError:
        raise click.ClickException(
            "Found no PyYAML; expected it for --yaml: pip install pyyaml"
        ) from None
    click.echo(yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=100), nl=False)
