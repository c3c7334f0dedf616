"""Texts and the exact mistakes of each stage of a load: what an operator reads."""

from tests.config import mistakes_records
from tests.config.texts import rows

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
1:85: zones.y.records.a: expected RR types, or pools, or route, or federate; the record has none of them
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
  h: {interval: 0s, eject: {base: 1m, mx: 5}, intervall: 5s}
  i: {type: http, port: 70000, fall: 0, rise: "2", expect_status: ["200-"]}
---
2:13: health_checks.a.type: expected http, https, tcp, tls, icmp, dns, grpc or push, got "htp"; did you mean "http"?
4:3: health_checks.c.port: missing; a check of type tcp needs a port
5:34: health_checks.d.path: a check of type tcp has no such key; it is for http and https
5:45: health_checks.d.method: a check of type tcp has no such key; it is for http and https
5:56: health_checks.d.host: a check of type tcp has no such key; it is for http, https, tls and grpc
5:59: health_checks.d.expect_status: a check of type tcp has no such key; it is for http and https
5:93: health_checks.d.verify_tls: a check of type tcp has no such key; it is for http, https, tls and grpc
7:42: health_checks.f.timeout: expected at most the interval, 1s, got 2s
9:3: health_checks.h.type: missing; expected http, https, tcp, tls, icmp, dns, grpc or push
9:17: health_checks.h.interval: expected a duration from 10ms to 24h, got "0s"
9:39: health_checks.h.eject.mx: unknown key; did you mean "max"?
9:47: health_checks.h.intervall: unknown key; did you mean "interval"?
10:25: health_checks.i.port: expected a port from 1 to 65535, got 70000
10:38: health_checks.i.fall: expected a whole number from 1 to 1000, got 0
10:47: health_checks.i.rise: expected a whole number from 1 to 1000, got "2"
10:68: health_checks.i.expect_status[0]: expected a status such as 204 or "200-399", got "200-"
===
health_checks:
  a: {type: tls}
  b: {type: grpc, verify_tls: false, expect_rcode: NOERROR}
  c: {type: icmp, port: 7, tls: true}
  d: {type: push, port: 7, timeout: 5s}
  e: {type: dns, query: "a b", query_type: ANY, expect_rcode: [NOERROR, BAD], expect_answer: [5], service: x}
  f: {type: http, expect_body: "(ok", token_file: x, query: a.example}
  g: {type: http, method: HEAD, expect_body: ok}
  h: {type: https, expect_body: ""}
  i: {type: tcp, port: 1, eject: {base: 10m}}
  j: {type: tcp, port: 1, eject: 5m}
  k: {type: tcp, port: 1, eject: {base: -1, max: 2d}}
  l: {type: grpc, port: 1, service: 5, tls: on}
  m: {type: http, expect_body: 'a\\1'}
  n: {type: dns, query_type: A, expect_answer: [192.0.2.1, ns1.example., "192.0.2.2 x"]}
  o: {type: dns, query_type: TYPE65280, expect_answer: nothing}
  p: {type: dns, query_type: MX, expect_answer: [10 mail, "20\\nmail.example."]}
---
2:3: health_checks.a.port: missing; a check of type tls needs a port
3:3: health_checks.b.port: missing; a check of type grpc needs a port
3:31: health_checks.b.verify_tls: only with tls: true, or there is no certificate
3:52: health_checks.b.expect_rcode: a check of type grpc has no such key; it is for dns
4:25: health_checks.c.port: a check of type icmp has no such key; it is for http, https, tcp, tls, dns and grpc
4:33: health_checks.c.tls: a check of type icmp has no such key; it is for grpc
5:3: health_checks.d.token_file: missing; a check of type push needs the file of its token
5:25: health_checks.d.port: a check of type push has no such key; it is for http, https, tcp, tls, dns and grpc
5:37: health_checks.d.timeout: a check of type push has no such key; it is for http, https, tcp, tls, icmp, dns and grpc
6:25: health_checks.e.query: expected a domain name, or "." for the root, got "a b"
6:44: health_checks.e.query_type: expected an RR type such as SOA or A, got "ANY"
6:73: health_checks.e.expect_rcode[1]: expected NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP or REFUSED, got "BAD"
6:95: health_checks.e.expect_answer[0]: expected the text of a record, got 5; write it in quotes: "5"
6:108: health_checks.e.service: a check of type dns has no such key; it is for grpc
7:32: health_checks.f.expect_body: not a pattern of RE2: missing ): (ok
7:51: health_checks.f.token_file: a check of type http has no such key; it is for push
7:61: health_checks.f.query: a check of type http has no such key; it is for dns
8:46: health_checks.g.expect_body: the answer to HEAD has no body; expected method GET beside it
9:33: health_checks.h.expect_body: expected a pattern of 1 to 1000 octets, got ""
10:27: health_checks.i.eject: base 10m is longer than max 5m
11:34: health_checks.j.eject: expected a mapping such as {base: 1m, max: 5m}, got "5m"
12:41: health_checks.k.eject.base: expected a duration from 0s to 24h, got -1
12:50: health_checks.k.eject.max: expected a duration from 0s to 24h, such as 500ms, 5s, 2m or 1h, got "2d"
13:37: health_checks.l.service: expected the name of a service, of at most 255 octets, got 5
13:45: health_checks.l.tls: expected true or false, got "on"; YAML 1.2 has no yes and no
14:32: health_checks.m.expect_body: not a pattern of RE2: invalid escape sequence: \\1
15:60: health_checks.n.expect_answer[1]: expected a record of type A in presentation format, got "ns1.example."
15:74: health_checks.n.expect_answer[2]: expected a record of type A in presentation format, got "192.0.2.2 x"
16:56: health_checks.o.expect_answer: expected a record of type TYPE65280 in presentation format, got "nothing"
17:59: health_checks.p.expect_answer[1]: expected a record of type MX in presentation format, got "20\\nmail.example."
===
server:
  isolation: {canaries: [], share: 0%, window: 0s}
  tcp: null
---
2:15: server.isolation.canaries: expected a list of hosts with ports, got an empty list
2:36: server.isolation.share: expected a percentage such as "50%", from 1% to 100%, got "0%"
2:48: server.isolation.window: expected a duration from 1s to 1h, got "0s"
===
server: {isolation: {share: 101}}
---
1:10: server.isolation.canaries: missing; expected hosts and ports to reach by TCP, such as ["192.0.2.1:443"]
1:29: server.isolation.share: expected a percentage such as "50%", from 1% to 100%, got 101
===
server: {isolation: {canaries: ["192.0.2.1", "192.0.2.1:0", "a b:1", 5, "x.example:80"], windw: 5}}
---
1:33: server.isolation.canaries[0]: expected a host and a port, such as "192.0.2.1:443", got "192.0.2.1"
1:46: server.isolation.canaries[1]: expected a host and a port, such as "192.0.2.1:443", got "192.0.2.1:0"
1:61: server.isolation.canaries[2]: expected a host and a port, such as "192.0.2.1:443", got "a b:1"
1:70: server.isolation.canaries[3]: expected a host and a port, such as "192.0.2.1:443", got 5
1:90: server.isolation.windw: unknown key; did you mean "window"?
===
pools:
  a: {endpoints: []}
  b: {endpoint: [192.0.2.1], health_checks: web}
  c: {endpoints: [192.0.2.1, "2001:db8::1", "2001:DB8:0::1", {address: 192.0.2.1}]}
  d: {endpoints: ["192.0.2.1:80", 80, {adress: x}, {address: 192.0.2.1, weight: 1000001}]}
  e: {endpoints: [192.0.2.1], select: hash, max_answers: 0, min_available: 0, health_check: [5]}
  f: {endpoints: [192.0.2.1], select: random, min_available: "0%", locality: {zone: z}, location: null}
  nearest: {endpoints: 192.0.2.1, ramp: 5s}
  g: {endpoints: [192.0.2.1], ramp: 5s, location: [91, 0], locality: {region: a.b, zone: ""}}
  h: {endpoints: [192.0.2.1], location: {latitude: 1}, locality: null, ramp: 2d}
  i: {endpoints: [192.0.2.1], location: [true, .nan], locality: x, ramp: null}
  j: {endpoints: [{address: 192.0.2.1, resolve: true}, {address: a.example, resolve: yes}], location: [1, 181]}
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
6:58: pools.e.max_answers: expected a whole number from 1 to 255, got 0
6:76: pools.e.min_available: expected a number from 1, or a percentage such as "50%", from 1% to 100%, got 0
6:94: pools.e.health_check[0]: expected a name; a number must be put in quotes, got 5
7:39: pools.f.select: expected all, weighted or hash, got "random"
7:62: pools.f.min_available: expected a number from 1, or a percentage such as "50%", from 1% to 100%, got "0%"
7:68: pools.f.locality.region: missing; expected one DNS label
8:3: pools.nearest: the name "nearest" is reserved
8:24: pools.nearest.endpoints: expected one or more addresses, host names, or mappings with an address, got "192.0.2.1"
9:37: pools.g.ramp: an endpoint gains its weight over this time, and select: all has no weights; expected select: weighted or hash beside it
9:41: pools.g.location: expected latitude (-90 to 90) and longitude (-180 to 180) in degrees, such as [30.27, 120.15], got 91
9:79: pools.g.locality.region: expected one DNS label: letters, digits, hyphens and underscores, at most 63 characters, got "a.b"
9:90: pools.g.locality.zone: expected one DNS label: letters, digits, hyphens and underscores, at most 63 characters, got ""
10:31: pools.h.location: expected latitude (-90 to 90) and longitude (-180 to 180) in degrees, such as [30.27, 120.15], got a mapping
10:78: pools.h.ramp: expected a duration from 0s to 24h, such as 500ms, 5s, 2m or 1h, got "2d"
11:31: pools.i.location: expected latitude (-90 to 90) and longitude (-180 to 180) in degrees, such as [30.27, 120.15], got true
11:65: pools.i.locality: expected a mapping of region and zone, got "x"
11:74: pools.i.ramp: expected a duration from 0s to 24h, such as 500ms, 5s, 2m or 1h, got nothing
12:49: pools.j.endpoints[0].resolve: 192.0.2.1 is an IP address; only a host name can be resolved
12:86: pools.j.endpoints[1].resolve: expected true or false, got "yes"; YAML 1.2 has no yes and no
12:93: pools.j.location: expected latitude (-90 to 90) and longitude (-180 to 180) in degrees, such as [30.27, 120.15], got 181
===
zones:
  z:
    nameservers: {ns1: [192.0.2.300], ns2: 5}
    contact: z.example
    ttl: {min: 61, max: 60}
    negative_ttl: -1
    serial: 4294967296
    records: [a]
  y: {nameservers: [ns1], contact: a@b, ttl: 1h}
  x: {zone_file: x, ttl: {min: 5, mx: 6}, transfer_to: 192.0.2.1/24}
  w: {zone_file: x, ttl: {min: -5, max: 1m}, negative_ttl: {min: 1, max: 2}, transfer_to: [x, 192.0.2.1]}
---
3:25: zones.z.nameservers.ns1[0]: expected an IP address, got "192.0.2.300"
3:44: zones.z.nameservers.ns2: expected a list of IP addresses, got 5
4:14: zones.z.contact: expected an e-mail address such as hostmaster@example.com, got "z.example"
5:16: zones.z.ttl.min: 61 is above max 60
6:19: zones.z.negative_ttl: expected whole seconds from 0 to 2147483647, got -1
7:13: zones.z.serial: expected auto, or a whole number from 0 to 4294967295, got 4294967296
8:5: zones.z.records: expected a mapping, got a list
9:7: zones.y.nameservers: expected one or more names, such as {ns1: [192.0.2.53]}, got a list
9:46: zones.y.ttl: expected whole seconds from 0 to 2147483647, got "1h"
10:21: zones.x.ttl.max: missing; expected both min and max
10:35: zones.x.ttl.mx: unknown key; did you mean "max"?
10:56: zones.x.transfer_to: 192.0.2.1/24 has bits set beyond its prefix; did you mean 192.0.2.0/24?
11:32: zones.w.ttl.min: expected whole seconds from 0 to 2147483647, got -5
11:41: zones.w.ttl.max: expected whole seconds from 0 to 2147483647, got "1m"
11:46: zones.w.negative_ttl: expected whole seconds from 0 to 2147483647, got a mapping
11:92: zones.w.transfer_to[0]: expected a network such as 203.0.113.0/24 or 2001:db8::/32, got "x"
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

TABLE = [*SYNTAX, *MODEL, *mistakes_records.TABLE]
