"""`gtmdns schema`: the JSON Schema of the configuration, for editors."""

import json

import click

from ..config.schema import json_schema


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of the configuration file."""
    click.echo(json.dumps(json_schema(), indent=2))
