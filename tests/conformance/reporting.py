"""What zonemaster-cli and dnsviz from Debian say of a zone that is served here.

Both are told where to begin: NSD is root, top-level domain and parent, all on loopback. What they
find is either caused by the server, and there may be nothing of it, or by the scene: name servers
on loopback addresses, without IPv6, a zone that is not signed, a short negative TTL.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conformance.resolving import (
    CHILD,
    NSD_SERVER,
    PARENT_HOST,
    ZONE,
    reason_to_skip,
    running,
)
from tests.conformance.server import Server, serving

HOSTS = {"ns1": "127.0.1.53", "ns2": "127.0.1.54"}
NAMES = (CHILD, f"www.{CHILD}", f"near.{CHILD}", f"alias.{CHILD}", f"no.{CHILD}")
TIME = 120  # seconds for one report

# What the scene causes: testcase -> words of every finding of that kind.
SCENE = {
    "ADDRESS01": "Loopback",
    "ADDRESS02": "without PTR configured",
}

CONFIG = f"""
server: {{nsid: edge-1}}
regions:
  hangzhou: {{networks: [101.37.0.0/16]}}
pools:
  one: {{endpoints: [10.0.0.1, "2001:db8::1"]}}
  two: {{endpoints: [10.0.0.2]}}
zones:
  {CHILD}:
    nameservers: {{ns1: [{HOSTS["ns1"]}], ns2: [{HOSTS["ns2"]}]}}
    contact: hostmaster@{ZONE}
    records:
      "@": {{pools: one, MX: ["10 mail"], TXT: "v=spf1 -all"}}
      www: {{pools: {{one: 1, two: 3}}}}
      near: {{route: {{hangzhou: two, default: one}}}}
      alias: {{CNAME: www}}
      "*.wild": {{pools: two}}
      mail: {{A: 10.0.0.9}}
"""

MASTER_FILES = {
    ".": f"@ NS ns.\nns. A {PARENT_HOST}\ncom. NS ns.\n",
    "com": f"@ NS ns.\n{ZONE}. NS ns.{ZONE}.\nns.{ZONE}. A {PARENT_HOST}\n",
    ZONE: f"@ NS ns.{ZONE}.\nns.{ZONE}. A {PARENT_HOST}\n"
    + f"@ MX 10 ns.{ZONE}.\n"
    + "".join(f"{CHILD}. NS {ns}.{CHILD}.\n{ns}.{CHILD}. A {at}\n" for ns, at in HOSTS.items()),
}


@contextmanager
def scene(folder: Path) -> Iterator[Server]:
    """Run NSD as everything above the zone, and the server for it."""
    conf = NSD_SERVER.format(host=PARENT_HOST, port=53, folder=folder)
    soa = f"$TTL 300\n@ SOA ns.{ZONE}. hostmaster.{ZONE}. 1 3600 900 604800 300\n"
    for number, (apex, records) in enumerate(MASTER_FILES.items()):
        (folder / f"zone{number}").write_text(soa + records)
        conf += f"zone:\n  name: {apex}\n  zonefile: zone{number}\n"
    (folder / "nsd.conf").write_text(conf)
    (folder / "hints").write_text(f". 300 NS ns.\nns. 300 A {PARENT_HOST}\n")
    command = ["nsd", "-d", "-c", str(folder / "nsd.conf")]
    with (
        running(command, folder / "nsd.log", (PARENT_HOST, 53)),
        serving(folder, CONFIG, host=HOSTS["ns1"], port=53, also=[f"{HOSTS['ns2']}:53"]) as server,
    ):
        yield server


def zonemaster(folder: Path) -> tuple[list[str], list[str]]:
    """Return (findings of WARNING or worse that the scene does not cause, those that it does)."""
    command = ["zonemaster-cli", "--hints", str(folder / "hints"), "--no-ipv6", "--no-progress"]
    command += ["--level", "WARNING", "--show-testcase", CHILD]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIME, check=True)
    levels = (" WARNING ", " ERROR ", " CRITICAL ")
    lines = map(str.strip, done.stdout.splitlines())
    findings = [line for line in lines if any(level in f" {line} " for level in levels)]
    expected = [
        finding
        for finding in findings
        if any(case in finding and words in finding for case, words in SCENE.items())
    ]
    return [finding for finding in findings if finding not in expected], expected


def dnsviz(folder: Path) -> tuple[list[str], int]:
    """Return (warnings and errors as dnsviz tells them, number of questions that it judged)."""
    servers = ",".join(f"{ns}.{CHILD}={at}" for ns, at in HOSTS.items())
    probe = ["dnsviz", "probe", "-4", "-A", "-x", f"{CHILD}+:{servers}", *NAMES]
    asked = subprocess.run(probe, capture_output=True, timeout=TIME, check=True).stdout
    found: dict[str, bytes] = {}
    for level in ("info", "warning"):
        grok = ["dnsviz", "grok", "-l", level]
        found[level] = subprocess.run(
            grok, input=asked, capture_output=True, timeout=TIME, check=True
        ).stdout
    judged = json.loads(found["info"])
    questions = sum(len(name.get("queries", {})) for name in judged.values())
    return found["warning"].decode().split("\n")[:-1], questions


def reports(folder: Path) -> str:
    """Run both; fail where one finds a fault of the server."""
    missing = [tool for tool in ("zonemaster-cli", "dnsviz") if not shutil.which(tool)]
    why = reason_to_skip() or (f"{', '.join(missing)} not installed (Debian)" if missing else None)
    if why:
        return f"SKIPPED: {why}"
    with scene(folder):
        faults, expected = zonemaster(folder)
        assert not faults, "\n".join(faults)
        assert expected, "zonemaster did not even see the loopback addresses: did it run?"
        warnings, questions = dnsviz(folder)
        assert not warnings, "\n".join(warnings)
        assert questions >= 2 * len(NAMES), f"dnsviz judged only {questions} questions"
    return (
        f"zonemaster: 0 findings of WARNING or worse by the server, {len(expected)} by the scene\n"
        f"dnsviz: 0 warnings and errors in {questions} questions about {len(NAMES)} names"
    )
