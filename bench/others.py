"""Configurations of the other servers: each writes files into a folder and returns the command.

One thread or process answers queries for each of `setup.workers`. NSD and BIND steer nothing: the
names that others steer are static there. What makes a server faster is on where answers stay the
same: minimal responses, batches, SO_REUSEPORT for two workers, no log of queries, no rate limits,
no statistics by name. DNS cookies are on everywhere, as in gtmdns.
"""

from pathlib import Path

from zone import FAR, NEAR, STEERED_NAMES, USUAL, WEIGHTS, ZONE, Setup, master_file
from zone import steered_as_static as as_static

COOKIE_SECRET = "0123456789abcdef0123456789abcdef"  # gdnsd and gtmdns draw one of their own


def gdnsd(folder: Path, port: int, setup: Setup = USUAL) -> list[str]:
    weighted = " ".join(f"i{n} => [ {a}, {w} ]" for n, (a, w) in enumerate(WEIGHTS.items()))
    threads = f"udp_threads => {setup.workers}, tcp_threads => {setup.workers}"
    (folder / "config").write_text(f"""
options => {{ listen => {{ 127.0.0.1:{port} => {{ {threads} }} }}
              run_dir => {folder}/run, state_dir => {folder}/state }}
plugins => {{
  weighted => {{ w => {{ {weighted} }} }}
  geoip => {{
    maps => {{ m => {{
      datacenters => [near, far]
      nets => {{ 0.0.0.0/0 => [far, near], 127.0.0.0/9 => [near, far] }}
    }} }}
    resources => {{ r => {{ map => m, dcmap => {{ near => {NEAR}, far => {FAR} }} }} }}
  }}
}}
""")
    (folder / "zones").mkdir()
    steered = [f"w{n} DYNA weighted!w\nr{n} DYNA geoip!r" for n in range(STEERED_NAMES)]
    (folder / "zones" / ZONE).write_text(master_file(setup, steered))
    return ["gdnsd", "-c", str(folder), "start"]


def nsd(folder: Path, port: int, setup: Setup = USUAL) -> list[str]:
    (folder / "zone").write_text(master_file(setup, as_static()))
    (folder / "nsd.conf").write_text(f"""
server:
  ip-address: 127.0.0.1
  port: {port}
  server-count: {setup.workers}
  username: ""
  chroot: ""
  zonesdir: "{folder}"
  pidfile: "{folder}/nsd.pid"
  database: ""
  xfrdfile: "{folder}/xfrd"
  zonelistfile: "{folder}/zonelist"
  logfile: "{folder}/log"
  reuseport: {"yes" if setup.workers > 1 else "no"}
  rrl-ratelimit: 0
  minimal-responses: yes
  answer-cookie: yes
  cookie-secret: {COOKIE_SECRET}
  tcp-query-count: 0
remote-control:
  control-enable: no
zone:
  name: {ZONE}
  zonefile: zone
""")
    return ["nsd", "-d", "-c", str(folder / "nsd.conf")]


def knot(folder: Path, port: int, setup: Setup = USUAL) -> list[str]:
    """Knot with its geoip module, in its modes for networks and for weights."""
    (folder / "zone").write_text(master_file(setup, as_static()))
    nets, weights = [], []
    for n in range(STEERED_NAMES):
        nets.append(f"r{n}.{ZONE}:\n  - net: 127.0.0.0/9\n    A: {NEAR}\n")
        nets.append(f"  - net: 0.0.0.0/0\n    A: {FAR}\n")
        weights.append(f"w{n}.{ZONE}:\n")
        weights += [f"  - weight: {weight}\n    A: {a}\n" for a, weight in WEIGHTS.items()]
    (folder / "nets").write_text("".join(nets))
    (folder / "weights").write_text("".join(weights))
    (folder / "knot.conf").write_text(f"""
server:
  listen: 127.0.0.1@{port}
  rundir: {folder}
  udp-workers: {setup.workers}
  tcp-workers: {setup.workers}
  background-workers: 1
  edns-client-subnet: on
database:
  storage: {folder}
log:
  - target: stderr
    any: warning
mod-cookies:
  - id: cookies
    secret: 0x{COOKIE_SECRET}
mod-geoip:
  - id: nets
    config-file: {folder}/nets
    mode: subnet
    ttl: 60
  - id: weights
    config-file: {folder}/weights
    mode: weighted
    ttl: 60
template:
  - id: default
    global-module: mod-cookies/cookies
zone:
  - domain: {ZONE}
    storage: {folder}
    file: zone
    zonefile-sync: -1
    journal-content: none
    module: [mod-geoip/nets, mod-geoip/weights]
""")
    return ["knotd", "-c", str(folder / "knot.conf")]


def bind(folder: Path, port: int, setup: Setup = USUAL) -> list[str]:
    (folder / "zone").write_text(master_file(setup, as_static()))
    (folder / "named.conf").write_text(f"""
options {{
  directory "{folder}"; pid-file "{folder}/pid"; session-keyfile "{folder}/key";
  listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
  recursion no; minimal-responses yes; dnssec-validation no; notify no;
  answer-cookie yes; cookie-secret "{COOKIE_SECRET}"; querylog no; zone-statistics none;
}};
controls {{ }};
zone "{ZONE}" {{ type primary; file "{folder}/zone"; }};
""")
    return ["named", "-f", "-n", str(setup.workers), "-c", str(folder / "named.conf")]


def powerdns(folder: Path, port: int, setup: Setup = USUAL) -> list[str]:
    """PowerDNS with Lua records; its packet cache is on, as delivered."""
    weights = ", ".join(f"{{{weight}, '{a}'}}" for a, weight in WEIGHTS.items())
    views = f"{{ {{'127.0.0.0/9'}}, {{'{NEAR}'}} }}, {{ {{'0.0.0.0/0'}}, {{'{FAR}'}} }}"
    steered = [
        f"w{n} LUA A \"pickwrandom({{{weights}}})\"\nr{n} LUA A \"view({{ {views} }})\""
        for n in range(STEERED_NAMES)
    ]  # fmt: skip
    (folder / "zone").write_text(master_file(setup, steered))
    (folder / "named.conf").write_text(f'zone "{ZONE}" {{ type native; file "{folder}/zone"; }};\n')
    (folder / "pdns.conf").write_text(f"""
launch=bind
bind-config={folder}/named.conf
local-address=127.0.0.1
local-port={port}
socket-dir={folder}
enable-lua-records=yes
edns-subnet-processing=yes
edns-cookie-secret={COOKIE_SECRET}
receiver-threads={setup.workers}
distributor-threads={setup.workers}
reuseport=yes
daemon=no
guardian=no
setuid=
setgid=
max-tcp-connections=100
max-tcp-transactions-per-conn=0
loglevel=3
""")
    return ["pdns_server", f"--config-dir={folder}"]
