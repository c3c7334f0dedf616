"""A worker's command line says the same to the parent and to the worker."""

import pytest

from gtmdns.serve.arguments import Arguments


@pytest.mark.parametrize(
    "arguments",
    [
        Arguments(),
        Arguments(2, "/run/x/channel", 9, {0: [4, 5], 1: [6, 7], 2: []}, [3]),
    ],
)
def test_it_is_read_as_it_was_written(arguments):
    assert Arguments.parse(arguments.as_list()) == arguments


def test_it_lists_every_listening_descriptor():
    assert Arguments(udp={0: [4, 5], 1: [6]}, tcp=[3]).descriptors == (3, 4, 5, 6)


@pytest.mark.parametrize("words", [["--numbre", "1"], ["--number"], ["--number", "x"]])
def test_another_command_line_is_refused(words):
    with pytest.raises(ValueError):  # noqa: PT011  # from int, zip or ourselves
        Arguments.parse(words)
