"""MMDB files made for a test, by a writer that is not ours."""

from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet


def write_mmdb(
    path: Path, networks: dict[str, Any], ip_version: int = 6, database_type: str = "Test"
) -> Path:
    """Write a file with a record for each network; a later network covers an earlier one."""
    writer = MMDBWriter(
        ip_version,
        database_type,
        languages=["en"],
        description="test",
        ipv4_compatible=ip_version == 6,
    )
    for network, record in networks.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return path
