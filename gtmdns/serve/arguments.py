"""The command line of a worker, written by the parent and read by the worker."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Arguments:
    """Descriptors are integers; `udp` has those of every worker, by its number."""

    number: int = 0
    channel: str = ""
    lifeline: int = -1
    udp: dict[int, list[int]] = field(default_factory=dict)
    tcp: list[int] = field(default_factory=list)

    def as_list(self) -> list[str]:
        """Return the command line that `parse` reads."""
        words = ["--number", str(self.number), "--channel", self.channel]
        words += ["--lifeline", str(self.lifeline), "--tcp", _join(self.tcp)]
        for number, descriptors in self.udp.items():
            words += ["--udp", f"{number}:{_join(descriptors)}"]
        return words

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The listening descriptors of all kinds."""
        return (*self.tcp, *(each for group in self.udp.values() for each in group))

    @classmethod
    def parse(cls, words: Sequence[str]) -> "Arguments":
        """Read a command line that the parent wrote. Raises ValueError where it did not."""
        arguments = cls()
        for option, value in zip(words[::2], words[1::2], strict=True):
            if option == "--udp":
                number, _, descriptors = value.partition(":")
                arguments.udp[int(number)] = _split(descriptors)
            elif option == "--tcp":
                arguments.tcp = _split(value)
            elif option == "--channel":
                arguments.channel = value
            elif option in ("--number", "--lifeline"):
                setattr(arguments, option[2:], int(value))
            else:
                raise ValueError(f"unknown option {option!r}")
        return arguments


def _join(numbers: Sequence[int]) -> str:
    return ",".join(map(str, numbers))


def _split(text: str) -> list[int]:
    return [int(number) for number in text.split(",") if number]
