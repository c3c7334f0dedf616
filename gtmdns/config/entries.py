"""Where an entry of a master file ends, found without understanding it (RFC 1035 section 5.1).

One that cannot be read is passed over so, and the mistake behind it is told too.
"""

import re

_END = r"(?: \r\n? | \n )"
_PART = r"""[^"();\\\r\n] | \\[^\r\n]? | "(?:[^"\\\n]|\\[^\n])*+"?+ | ;[^\r\n]*+"""
_ENTRY = re.compile(
    rf"(?: {_PART} | \( (?: {_PART} | {_END} )*+ \) )*+ (?: {_END} | \Z )", re.VERBOSE
)


def behind_entry(text: str, begin: int) -> tuple[int, int] | None:
    """Return where the next entry begins, and how many lines this one has.

    It ends with its line, or with the one that closes its parentheses. None: one is not closed, or
    not opened. begin: of the entry; where the line before ended with CR LF, it may be the LF
    """
    if text[begin - 1 : begin + 1] == "\r\n":
        begin += 1
    entry = _ENTRY.match(text, begin)
    return None if entry is None else (entry.end(), len(re.findall(r"\r\n?|\n", entry[0])))
