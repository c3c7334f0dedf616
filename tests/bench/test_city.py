"""The made-up file of cities is one that other readers read, and holds what it should."""

import subprocess
import sys
from ipaddress import IPv4Address, IPv6Network
from pathlib import Path

import maxminddb

from gtmdns.compiler.mmdb import Mmdb

ROOT = Path(__file__).parents[2]


def test_city(tmp_path: Path) -> None:
    path = tmp_path / "city.mmdb"
    words = ["bench/city.py", str(path), "--networks4", "3000", "--networks6", "500"]
    subprocess.run([sys.executable, *words, "--places", "4000"], cwd=ROOT, check=True, timeout=60)

    with maxminddb.open_database(path) as reader:
        found = dict(reader)
        ours = Mmdb(path)
        records = {
            number: record
            for numbers, record in ours.records({"country", "location"})
            for number in numbers
        }
        numbers = {number: number for number in records}
        walked = [
            (IPv4Address(at), number) for at, number in zip(*ours.walk4(numbers), strict=True)
        ]
        for address, number in walked:
            record = reader.get(address)
            assert {key: record[key] for key in ("country", "location")} == records[number]

    # Neighbours in one city are one interval.
    assert 2_400 < len(walked) <= 3000
    assert len(found) == 3500
    assert sum(network.version == 6 and not _is_ipv4(network) for network in found) == 500
    assert {record["city"]["names"]["en"] for record in found.values()} <= {
        f"City {number}" for number in range(4000)
    }


def _is_ipv4(network: IPv6Network) -> bool:
    return int(network.network_address) >> 32 == 0
