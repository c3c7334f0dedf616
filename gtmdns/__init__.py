"""An authoritative DNS server for global traffic management."""

__version__ = "0.1.0"
