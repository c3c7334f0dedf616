"""The commands together. Each is one file with a click command named `command`.

A command's module is imported when it is asked for: `gtmdns serve` need not wait for
what `gtmdns measure` draws its tables with.
"""

from importlib import import_module

import click

from .. import __version__

COMMANDS = {
    "serve": "Run the server.",
    "check": "Load a configuration without serving it.",
    "explain": "Say what a client is told, and why.",
    "measure": "Ask many times and count the answers.",
    "status": "Say how a running server stands.",
    "override": "Let a pool or an endpoint be up or down for a while.",
    "reload": "Make a running server load its configuration again.",
    "demo": "Show weights, regions and a failover on this machine.",
    "schema": "Print the JSON Schema of the configuration.",
}


class Commands(click.Group):
    """Finds a command by the name of its module."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f".{cmd_name}", __package__).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gtmdns")
def main() -> None:
    """An authoritative DNS server that steers traffic by weight, by place and by health."""
