"""The commands together: help, version, and what is wrong usage."""

import pytest

from gtmdns import __version__
from gtmdns.cli.main import COMMANDS
from tests.cli.support import run


def test_help_names_every_command() -> None:
    result = run("--help")

    assert result.exit_code == 0
    for name, text in COMMANDS.items():
        assert name in result.output
        assert text.split()[0] in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    result = run(name, "-h")

    assert result.exit_code == 0
    assert f"gtmdns {name}" in result.output.replace("main", "gtmdns")


def test_version() -> None:
    assert run("--version").output == f"gtmdns, version {__version__}\n"


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("--nonsense",),
        ("check",),
        ("check", "a", "b"),
        ("explain", "a"),
        ("serve",),
        ("reload", "--nonsense"),
        ("schema", "a"),
    ],
)
def test_wrong_usage_ends_with_2(words: tuple[str, ...]) -> None:
    result = run(*words)

    assert result.exit_code == 2
    assert "Usage:" in result.stderr
