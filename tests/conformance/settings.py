"""What NSD and Knot are told in every scene, to be filled in; their zones follow."""

NSD_SERVER = """
server:
  ip-address: {host}@{port}
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "{folder}"
  pidfile: "{folder}/nsd.pid"
  database: ""
  xfrdfile: "{folder}/xfrd"
  xfrdir: "{folder}"
  zonelistfile: "{folder}/zonelist"
  minimal-responses: yes
  round-robin: no
remote-control:
  control-enable: no
"""

KNOT_SERVER = """
server:
  rundir: "{folder}"
  listen: {host}@{port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: "{folder}"
log:
  - target: stderr
    any: warning
"""
