"""The command `gtmdns`, also `python -m gtmdns`."""

from .cli.main import main

if __name__ == "__main__":
    main()
