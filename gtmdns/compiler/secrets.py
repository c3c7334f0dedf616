"""The secrets of DNS cookies, as a file has them that several servers share."""

import re
from pathlib import Path

from ..wire.siphash import KEY_OCTETS

MAX_SECRETS = 8  # each costs a SipHash for a cookie that is wrong
MAX_SIZE = 4096  # octets of the file
SECRET = re.compile(rf"[0-9A-Fa-f]{{{2 * KEY_OCTETS}}}")


class BadSecrets(Exception):
    """The file has no secrets that can be used. `problem` never has its contents."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


def read_secrets(path: Path) -> tuple[bytes, ...]:
    """Return the secrets of a file, in its order. Raises BadSecrets."""
    try:
        with path.open("rb") as file:
            octets = file.read(MAX_SIZE + 1)
    except OSError as error:
        raise BadSecrets(f"{path} cannot be read: {error.strerror}") from None
    if len(octets) > MAX_SIZE:
        raise BadSecrets(f"{path} has more than {MAX_SIZE} octets")
    secrets = []
    for number, line in enumerate(octets.decode("ascii", "replace").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if not SECRET.fullmatch(text):
            what = f"expected {2 * KEY_OCTETS} hexadecimal digits, or nothing else in the line"
            raise BadSecrets(f"{path}, line {number}: {what}")
        secrets.append(bytes.fromhex(text))
    if not 1 <= len(secrets) <= MAX_SECRETS:
        raise BadSecrets(f"{path}: expected 1 to {MAX_SECRETS} secrets, got {len(secrets)}")
    return tuple(secrets)
