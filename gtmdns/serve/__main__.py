"""`python -m gtmdns.serve SETTINGS CONTROL_COMMAND...`: the parent, as a process of its own.

`gtmdns serve` checks the configuration and then becomes this: what the check loaded is
gone with it, and the parent stays small. SETTINGS is a ParentSettings as JSON.
"""

import json
import sys

from .parent import ParentSettings, run_parent


def main() -> int:
    fields = json.loads(sys.argv[1])
    settings = ParentSettings(**{**fields, "listen": tuple(fields["listen"])})
    return run_parent(settings, sys.argv[2:], [sys.executable, "-m", "gtmdns.serve.worker"])


if __name__ == "__main__":
    sys.exit(main())
