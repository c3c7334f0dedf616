"""Texts and the exact mistakes of each stage of a load: what an operator reads."""


def rows(text):
    """Cut a table into (yaml, mistakes): blocks apart by a line of ===, mistakes after ---."""
    blocks = [block.strip("\n").split("\n---\n") for block in text.split("\n===\n")]
    return [(source, expected.split("\n")) for source, expected in blocks]


MODEL = rows("""
a: {}
---
1:1: a: unknown key
1:1: zones: missing; expected one or more zones
===
zones: {}
---
1:1: zones: expected one or more zones, got an empty mapping
===
zones:
---
1:7: zones: expected one or more zones, got nothing
===
zone: {}
zones: {z: 5, y: {nameserver: {ns1: []}, zone_file: null}}
---
1:1: zone: unknown key; did you mean "zones"?
2:12: zones.z: expected a mapping, got 5
2:15: zones.y.contact: missing; expected an e-mail address such as hostmaster@example.com
2:15: zones.y.nameservers: missing; expected one or more names, such as {ns1: [192.0.2.53]}
2:19: zones.y.nameserver: unknown key; did you mean "nameservers"?
===
zones: {z: {zone_file: 5}, y: {zone_file: x, nameservers: {}, contact: x, records: {a: {}}}}
---
1:24: zones.z.zone_file: expected a master file, got 5; write it in quotes: "5"
1:46: zones.y.nameservers: expected one or more names, such as {ns1: [192.0.2.53]}, got an empty mapping
1:72: zones.y.contact: expected an e-mail address such as hostmaster@example.com, got "x"
1:85: zones.y.records.a: expected RR types, or pools, or route; the record has none of them
===
server:
  listen: []
  listn: ["127.0.0.1:53"]
  workers: many
  user: 1000
  nsid: ""
  version: 1
  client_subnet: on
  udp_payload: 100
  startup_wait: 2h
  tcp: {max_conections: 5, max_per_client: 0, idle_timeout: 0}
  log: {level: warn, format: JSON}
admin: {listen: 8053, hosts: localhost}
geoip: {databases: builtin}
---
2:3: server.listen: expected a list of one or more addresses with ports, got an empty list
3:3: server.listn: unknown key; did you mean "listen"?
4:12: server.workers: expected auto, or a whole number from 1 to 256, got "many"
5:9: server.user: expected the name of a user, got 1000; write it in quotes: "1000"
6:9: server.nsid: expected a text of 1 to 255 octets, got ""
7:12: server.version: expected a text of 1 to 255 octets, got 1
8:18: server.client_subnet: expected true or false, got "on"; YAML 1.2 has no yes and no
9:16: server.udp_payload: expected octets from 512 to 4096, got 100
10:17: server.startup_wait: expected a duration from 0s to 1h, got "2h"
11:9: server.tcp.max_conections: unknown key; did you mean "max_connections"?
11:44: server.tcp.max_per_client: expected a whole number from 1 to 1000000, got 0
11:61: server.tcp.idle_timeout: expected a duration from 100ms to 1h, got 0
12:16: server.log.level: expected debug, info, warning or error, got "warn"; did you mean "warning"?
12:30: server.log.format: expected text or json, got "JSON"; did you mean "json"?
13:17: admin.listen: expected an address and a port, such as "127.0.0.1:5300" or "[::1]:5300", got 8053
13:30: admin.hosts: expected a list of host names, got "localhost"
14:20: geoip.databases: expected a list of MMDB files, got "builtin"
===
server:
  listen:
    - "127.0.0.1:53"
    - ":53"
    - "127.0.0.1:053"
---
4:7: server.listen[1]: expected an address and a port, such as "127.0.0.1:5300" or "[::1]:5300", got ":53"
5:7: server.listen[2]: "127.0.0.1:053" is in the list twice
===
regions:
  nothing: {}
  only: {match: all}
  default: {countries: [CN]}
  a b: {countries: [CN]}
  china: {country: [CN]}
  all-kinds: {countries: [NO, no, Norway], continents: [EU, XX], subdivisions: [ZJ], asns: [0]}
  nets: {networks: [10.0.0.0/8, 10.0.0.1/8, 10.0.0.0/8]}
---
2:3: regions.nothing: a region without a client; expected one or more of networks, continents, countries, subdivisions, isps, asns
3:3: regions.only: a region without a client; expected one or more of networks, continents, countries, subdivisions, isps, asns
4:3: regions.default: the name "default" is reserved
5:3: regions.a b: expected a name of letters, digits, dots, underscores and hyphens, got "a b"
6:11: regions.china.country: unknown key; did you mean "countries"?
7:31: regions.all-kinds.countries[1]: expected two capital letters such as CN (ISO 3166-1), got "no"
7:35: regions.all-kinds.countries[2]: expected two capital letters such as CN (ISO 3166-1), got "Norway"
7:61: regions.all-kinds.continents[1]: expected AF, AN, AS, EU, NA, OC or SA, got "XX"
7:81: regions.all-kinds.subdivisions[0]: expected an ISO 3166-2 code such as CN-ZJ, got "ZJ"
7:93: regions.all-kinds.asns[0]: expected an AS number from 1 to 4294967295, got 0
8:33: regions.nets.networks[1]: 10.0.0.1/8 has bits set beyond its prefix; did you mean 10.0.0.0/8?
8:45: regions.nets.networks[2]: "10.0.0.0/8" is in the list twice
===
health_checks:
  a: {type: htp}
  b: {type: grpc, port: 1}
  c: {type: tcp}
  d: {type: tcp, port: 22, path: /, method: GET, host: x, expect_status: [200], verify_tls: true}
  e: {type: http, verify_tls: false}
  f: {type: http, interval: 1s, timeout: 2s}
  g: {type: http, interval: 1s, timeout: 1s}
  h: {interval: 0s, expect_body: x, eject: {base: 1m}, intervall: 5s}
  i: {type: http, port: 70000, fall: 0, rise: "2", expect_status: ["200-"]}
---
2:13: health_checks.a.type: expected http, https or tcp, got "htp"; did you mean "http"?
3:13: health_checks.b.type: "grpc" is not supported yet
4:3: health_checks.c.port: missing; a check of type tcp needs a port
5:34: health_checks.d.path: a check of type tcp has no such key; it is for http and https
5:45: health_checks.d.method: a check of type tcp has no such key; it is for http and https
5:56: health_checks.d.host: a check of type tcp has no such key; it is for http and https
5:59: health_checks.d.expect_status: a check of type tcp has no such key; it is for http and https
5:93: health_checks.d.verify_tls: a check of type tcp has no such key; it is for http and https
7:42: health_checks.f.timeout: expected at most the interval, 1s, got 2s
9:3: health_checks.h.type: missing; expected http, https or tcp
9:17: health_checks.h.interval: expected a duration from 10ms to 24h, got "0s"
9:21: health_checks.h.expect_body: not supported yet
9:37: health_checks.h.eject: not supported yet
9:56: health_checks.h.intervall: unknown key; did you mean "interval"?
10:25: health_checks.i.port: expected a port from 1 to 65535, got 70000
10:38: health_checks.i.fall: expected a whole number from 1 to 1000, got 0
10:47: health_checks.i.rise: expected a whole number from 1 to 1000, got "2"
10:68: health_checks.i.expect_status[0]: expected a status such as 204 or "200-399", got "200-"
===
pools:
  a: {endpoints: []}
  b: {endpoint: [192.0.2.1], health_checks: web}
  c: {endpoints: [192.0.2.1, "2001:db8::1", "2001:DB8:0::1", {address: 192.0.2.1}]}
  d: {endpoints: ["192.0.2.1:80", 80, {adress: x}, {address: 192.0.2.1, weight: 1000001}]}
  e: {endpoints: [192.0.2.1], select: hash, max_answers: 0, min_available: 0, health_check: [5]}
  f: {endpoints: [192.0.2.1], select: random, min_available: "0%", locality: {zone: z}, location: null}
  nearest: {endpoints: 192.0.2.1, ramp: 5s}
---
2:7: pools.a.endpoints: expected one or more addresses, host names, or mappings with an address, got an empty list
3:3: pools.b.endpoints: missing; expected one or more addresses, host names, or mappings with an address
3:7: pools.b.endpoint: unknown key; did you mean "endpoints"?
3:30: pools.b.health_checks: unknown key; did you mean "health_check"?
4:45: pools.c.endpoints[2]: 2001:db8::1 is in this pool already, as [1]
4:72: pools.c.endpoints[3].address: 192.0.2.1 is in this pool already, as [0]
5:19: pools.d.endpoints[0]: expected an IP address or a full host name, got "192.0.2.1:80"; a port belongs to the health check
5:35: pools.d.endpoints[1]: expected an IP address, a host name, or a mapping with an address, got 80
5:39: pools.d.endpoints[2].address: missing; expected an IP address or a host name
5:40: pools.d.endpoints[2].adress: unknown key; did you mean "address"?
5:81: pools.d.endpoints[3].weight: expected a weight from 0 to 1000000, got 1000001
6:39: pools.e.select: "hash" is not supported yet
6:58: pools.e.max_answers: expected a whole number from 1 to 255, got 0
6:76: pools.e.min_available: expected a number from 1, or a percentage such as "50%", from 1% to 100%, got 0
6:94: pools.e.health_check[0]: expected a name; a number must be put in quotes, got 5
7:39: pools.f.select: expected all or weighted, got "random"
7:62: pools.f.min_available: expected a number from 1, or a percentage such as "50%", from 1% to 100%, got "0%"
7:68: pools.f.locality: not supported yet
8:3: pools.nearest: the name "nearest" is reserved
8:24: pools.nearest.endpoints: expected one or more addresses, host names, or mappings with an address, got "192.0.2.1"
8:35: pools.nearest.ramp: not supported yet
===
zones:
  z:
    nameservers: {ns1: [192.0.2.300], ns2: 5}
    contact: z.example
    ttl: {min: 5, max: 60}
    negative_ttl: -1
    serial: 4294967296
    records: [a]
  y: {nameservers: [ns1], contact: a@b, ttl: 1h}
---
3:25: zones.z.nameservers.ns1[0]: expected an IP address, got "192.0.2.300"
3:44: zones.z.nameservers.ns2: expected a list of IP addresses, got 5
4:14: zones.z.contact: expected an e-mail address such as hostmaster@example.com, got "z.example"
5:5: zones.z.ttl: a TTL of min and max is not supported yet
6:19: zones.z.negative_ttl: expected whole seconds from 0 to 2147483647, got -1
7:13: zones.z.serial: expected auto, or a whole number from 0 to 4294967295, got 4294967296
8:5: zones.z.records: expected a mapping, got a list
9:7: zones.y.nameservers: expected one or more names, such as {ns1: [192.0.2.53]}, got a list
9:46: zones.y.ttl: expected whole seconds from 0 to 2147483647, got "1h"
""")

RECORDS = rows("""
zones:
  z:
    nameservers: {ns1: [192.0.2.53]}
    contact: a@b
    records:
      a: {}
      b: {ttl: 5}
      c: 5
      d:
      e: {pools: p, route: {default: p}}
      f: {federate: [p], failback: {delay: 5s}, ttl: {min: 1, max: 2}}
      g: {pools: p, A: 192.0.2.1, AAAA: "::1", CNAME: x, TXT: y}
      h: {TYPE65: x, HTTPS: x, SOA: x, a: x, mx: x, DNAME: x, NSEC: x, TYPE255: x, TYPE65536: x, TYPE01: x}
      i: {A: [], TXT: 5, MX: ["10 a", "10 a"], CAA: {a: 1}}
      j: {CNAME: x, TXT: y}
      k: {A: 192.0.2.1, when_all_down: empty}
      l: {pools: p, when_all_down: {cname: x.}, ttl: 5s}
      m: {pools: p, when_all_down: serve}
      n: {route: {a: p, default: p}, when_all_down: empty}
      o: {route: {default: p, a: p}}
      p: {route: {a b: p}}
      q: {route: [p]}
      r: {pools: {nearest: [p]}}
      s: {pools: [p, {p: -1, x: {weight: 1}}]}
      t: {route: {default: {all: p}, nearest: p}}
      u: {pool: p, rrsets: {}, routed: true, ttl: 2147483648}
---
6:7: zones.z.records.a: expected RR types, or pools, or route; the record has none of them
7:7: zones.z.records.b: expected RR types, or pools, or route; the record has none of them
8:10: zones.z.records.c: expected a mapping of RR types, or with pools or route, got 5
9:9: zones.z.records.d: expected a mapping of RR types, or with pools or route, got nothing
10:21: zones.z.records.e.route: pools is there already; expected only one of them
11:11: zones.z.records.f.federate: not supported yet
11:26: zones.z.records.f.failback: not supported yet
11:49: zones.z.records.f.ttl: a TTL of min and max is not supported yet
12:21: zones.z.records.g.A: cannot stand beside pools, which answers this type itself
12:35: zones.z.records.g.AAAA: cannot stand beside pools, which answers this type itself
12:48: zones.z.records.g.CNAME: cannot stand beside pools, which answers this type itself
13:22: zones.z.records.h.HTTPS: the same type as TYPE65
13:32: zones.z.records.h.SOA: a zone's SOA is made from its contact, serial, ttl and negative_ttl
13:40: zones.z.records.h.a: neither a known key nor an RR type; did you mean "A"?
13:46: zones.z.records.h.mx: neither a known key nor an RR type; did you mean "MX"?
13:53: zones.z.records.h.DNAME: not supported yet
13:63: zones.z.records.h.NSEC: is made by signing a zone, which is not supported yet
13:72: zones.z.records.h.TYPE255: is for queries and messages alone, no record has this type
13:84: zones.z.records.h.TYPE65536: neither a known key nor an RR type
13:98: zones.z.records.h.TYPE01: neither a known key nor an RR type
14:11: zones.z.records.i.A: expected a list of one or more texts, got an empty list
14:23: zones.z.records.i.TXT: expected a text in presentation format, got 5; write it in quotes: "5"
14:39: zones.z.records.i.MX[1]: "10 a" is in the list twice
14:48: zones.z.records.i.CAA: expected a list of one or more texts, got a mapping
15:11: zones.z.records.j.CNAME: cannot stand beside other types (RFC 2181, section 10.1)
16:25: zones.z.records.k.when_all_down: only where there is pools or route
17:21: zones.z.records.l.when_all_down: a target of its own is not supported yet
17:54: zones.z.records.l.ttl: expected whole seconds from 0 to 2147483647, got "5s"
18:36: zones.z.records.m.when_all_down: expected serve_all, empty or servfail, got "serve"; did you mean "serve_all"?
19:53: zones.z.records.n.when_all_down: empty cannot stand together with route; expected serve_all or servfail
20:19: zones.z.records.o.route.default: must be the last rule of its route
21:11: zones.z.records.p.route.default: missing; expected as the last rule of a route
21:19: zones.z.records.p.route.a b: expected a name of letters, digits, dots, underscores and hyphens, got "a b"
22:11: zones.z.records.q.route: expected a mapping of regions to targets, with default last, got a list
23:19: zones.z.records.r.pools.nearest: not supported yet
24:26: zones.z.records.s.pools[1].p: expected a weight from 0 to 1000000, got -1
24:30: zones.z.records.s.pools[1].x.to: missing; expected a mapping {weight: 90, to: target}
25:19: zones.z.records.t.route.default: must be the last rule of its route
25:34: zones.z.records.t.route.default.all: expected a list of one or more targets, got "p"
25:38: zones.z.records.t.route.nearest: the name "nearest" is reserved
26:7: zones.z.records.u: expected RR types, or pools, or route; the record has none of them
26:11: zones.z.records.u.pool: neither a known key nor an RR type; did you mean "pools"?
26:20: zones.z.records.u.rrsets: neither a known key nor an RR type
26:32: zones.z.records.u.routed: neither a known key nor an RR type; did you mean "route"?
26:51: zones.z.records.u.ttl: expected whole seconds from 0 to 2147483647, got 2147483648
""")

REFERENCES = rows("""
health_checks: {web: {type: http}}
pools:
  a: {endpoints: [192.0.2.1], health_check: wbe}
  b: {endpoints: [192.0.2.1, {address: "::1", health_check: [web, x]}], health_check: [web, wob]}
---
3:45: pools.a.health_check: no health check "wbe"; did you mean "web"?
4:67: pools.b.endpoints[1].health_check[1]: no health check "x"
4:93: pools.b.health_check[1]: no health check "wob"; did you mean "web"?
===
zones:
  A.: {nameservers: {ns1: [192.0.2.1]}, contact: a@b.c}
  a: {nameservers: {ns1: [], ns2.A.: [], ns3.b.: [192.0.2.1], "x y": []}, contact: a@b.c}
  a..b: {nameservers: {ns1: [192.0.2.1]}, contact: a@b.c}
  0/25.2.0.192.in-addr.arpa: {nameservers: {ns1.b.: []}, contact: a@b.c}
---
3:3: zones.a: the same zone as "A."
3:21: zones.a.nameservers.ns1: a name in the zone needs one or more addresses
3:30: zones.a.nameservers.ns2.A.: a name in the zone needs one or more addresses
3:42: zones.a.nameservers.ns3.b.: a name outside the zone cannot have addresses here; expected []
3:63: zones.a.nameservers.x y: expected a host name, relative to the zone or with a final dot
4:3: zones.a..b: expected a domain name such as gtm.example.com
===
regions: {asia: {continents: [AS]}}
pools:
  a: {endpoints: [192.0.2.1]}
  b: {endpoints: [a.example.net, 192.0.2.2]}
  n: {endpoints: [a.example.net]}
zones:
  c.d:
    nameservers: {ns1: [192.0.2.1]}
    contact: a@b.c
    records:
      a: {pools: aa}
      b: {pools: [a, c, {all: [a, aa]}, {a: 1, aa: 3}, {x: {weight: 3, to: nn}}]}
      c: {route: {aisa: a, default: q}}
      d: {pools: [n, a]}
      e: {pools: b}
      f: {pools: n, TXT: x}
      g: {route: {asia: a, default: n}}
      C.D.: {pools: n}
      "@": {pools: n}
      "*.x": {pools: n}
---
11:18: zones.c.d.records.a.pools: no pool "aa"; did you mean "a"?
12:22: zones.c.d.records.b.pools[1]: no pool "c"
12:35: zones.c.d.records.b.pools[2].all[1]: no pool "aa"; did you mean "a"?
12:48: zones.c.d.records.b.pools[3].aa: no pool "aa"; did you mean "a"?
12:76: zones.c.d.records.b.pools[4].x.to: no pool "nn"; did you mean "n"?
13:19: zones.c.d.records.c.route.aisa: no region "aisa"; did you mean "asia"?
13:37: zones.c.d.records.c.route.default: no pool "q"
14:11: zones.c.d.records.d.pools: host names (pool n) and addresses (pool a) cannot answer one record; expected all of one kind
15:11: zones.c.d.records.e.pools: host names (pool b) and addresses (pool b) cannot answer one record; expected all of one kind
16:11: zones.c.d.records.f.pools: host names are answered as CNAME, which cannot stand beside TXT
17:11: zones.c.d.records.g.route: host names (pool n) and addresses (pool a) cannot answer one record; expected all of one kind
18:14: zones.c.d.records.C.D..pools: host names are answered as CNAME, which cannot stand at the apex
19:13: zones.c.d.records.@.pools: host names are answered as CNAME, which cannot stand at the apex
""")

SYNTAX = rows("""
zones: {z: 1}
zones: {z: 1}
pools: !x 5
---
2:1: zones: set twice; first set in line 1, column 1
3:8: pools: tags such as !x are not read
===
- zones
---
1:1: expected a mapping at the top level, such as zones: ...
===
zones
---
1:1: expected a mapping at the top level, such as zones: ...
===
# zones:
---
1:1: empty; expected a mapping with a key zones
===
include: zones.yaml
zones: {}
---
1:10: include: expected a list of file names or globs
""")

TABLE = [*SYNTAX, *MODEL, *RECORDS, *REFERENCES]
