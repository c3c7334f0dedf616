"""Plain scalars of the YAML 1.2 core schema (YAML 1.2.2, section 10.3.2).

Only `true` and `false` (three spellings each) are booleans: `NO`, `on` and `1:30` are strings,
unlike in YAML 1.1, which PyYAML resolves by itself.
"""

import re

Scalar = None | bool | int | float | str

MAX_DIGITS = 40  # no number of a configuration is longer; int() of many digits is slow

WORDS: dict[str, Scalar] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
    ".nan": float("nan"), ".NaN": float("nan"), ".NAN": float("nan"),
}  # fmt: skip

DECIMAL = re.compile(r"[-+]?[0-9]+")
OCTAL = re.compile(r"0o[0-7]+")
HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
INFINITY = re.compile(r"[-+]?\.(inf|Inf|INF)")

TAG = "tag:yaml.org,2002:"
TAGGED: dict[str, type] = {
    TAG + "null": type(None), TAG + "bool": bool, TAG + "int": int, TAG + "float": float,
}  # fmt: skip


class BadScalar(ValueError):
    """The text does not have the type that its tag says, or is no number we would ever read."""


def plain_scalar(text: str) -> Scalar:
    """Return the value of an unquoted scalar. Raises BadScalar: a number of too many digits."""
    if text in WORDS:
        return WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if not (FLOAT.fullmatch(text) or OCTAL.fullmatch(text) or HEXADECIMAL.fullmatch(text)):
        return float(text.replace(".", "", 1)) if INFINITY.fullmatch(text) else text
    if len(text) > MAX_DIGITS:
        raise BadScalar(f"a number of {len(text)} characters, at most {MAX_DIGITS} are read")
    if DECIMAL.fullmatch(text):
        return int(text)
    return int(text, 0) if text[:2] in ("0o", "0x") else float(text)


def tagged_scalar(text: str, tag: str) -> Scalar:
    """Return the value of a scalar with a tag of its own. Raises BadScalar."""
    if tag in ("!", TAG + "str"):
        return text
    if tag not in TAGGED:
        raise BadScalar(f"tags such as {tag.replace(TAG, '!!')} are not read")
    value = plain_scalar(text)
    if TAGGED[tag] is float and type(value) is int:
        value = float(value)
    if type(value) is not TAGGED[tag]:
        raise BadScalar(f"{text!r} is not of its type {tag.replace(TAG, '!!')}")
    return value
