"""The secret of DNS cookies where the configuration has none: made once in each start.

It lies in the runtime folder, so that a control that follows one that died goes on with
it, and clients keep their cookies.
"""

import logging
import os
import secrets
from pathlib import Path

from ..wire.siphash import KEY_OCTETS

FILE = "cookie-secret"  # in the runtime folder, which only this user can enter

log = logging.getLogger(__name__)


def start_secret(runtime: Path) -> bytes:
    """Return the secret of this start. Where it cannot be kept, it is that of this process."""
    path = runtime / FILE
    try:
        known = path.read_bytes()
    except OSError:
        known = b""
    if len(known) == KEY_OCTETS:
        return known
    secret = secrets.token_bytes(KEY_OCTETS)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(secret)
    except OSError as error:
        log.warning("the secret of cookies cannot be kept in %s: %s", runtime, error)
    return secret
