"""Texts and the exact mistakes of records, and of what sections say of each other."""

from tests.config.texts import rows

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
      f: {federate: [p, p], failback: {delay: 5s}, ttl: {min: 1, max: 2}, TXT: x, A: 192.0.2.1}
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
      v: {pools: p, failback: 5m, when_all_down: {pools: p, cname: x}}
      w: {pools: p, failback: {dely: 5m, delay: soon}, when_all_down: {pool: p}}
      x: {TXT: x, failback: {delay: 5m}, ttl: {min: 1, max: 2}, when_all_down: {cname: x}}
      y: {pools: p, MX: 10 m, AAAA: "::1", when_all_down: {cname: "a b"}}
      z: {federate: p, pools: p, when_all_down: {pools: [p, {p: -1}], x: 1}}
      aa: {federate: [], ttl: {}}
      ab: {pools: {nearest: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q]}}
      ac: {route: {default: {nearest: []}}, when_all_down: {pools: {nearest: x}}, failback: null}
      ad: {route: {default: a}, federate: [5], when_all_down: {}}
---
6:7: zones.z.records.a: expected RR types, or pools, or route, or federate; the record has none of them
7:7: zones.z.records.b: expected RR types, or pools, or route, or federate; the record has none of them
8:10: zones.z.records.c: expected a mapping of RR types, or with pools or route, got 5
9:9: zones.z.records.d: expected a mapping of RR types, or with pools or route, got nothing
10:21: zones.z.records.e.route: pools is there already; expected only one of them
11:25: zones.z.records.f.federate[1]: "p" is in the list twice
11:29: zones.z.records.f.failback: only where there is pools or route
11:75: zones.z.records.f.TXT: cannot stand beside federate: a CNAME has no other types (RFC 2181, section 10.1)
11:83: zones.z.records.f.A: cannot stand beside federate: a CNAME has no other types (RFC 2181, section 10.1)
12:21: zones.z.records.g.A: cannot stand beside pools, which answers this type itself
12:35: zones.z.records.g.AAAA: cannot stand beside pools, which answers this type itself
12:48: zones.z.records.g.CNAME: cannot stand beside pools, which answers this type itself
13:22: zones.z.records.h.HTTPS: the same type as TYPE65
13:32: zones.z.records.h.SOA: a zone's SOA is made from its contact, serial, ttl and negative_ttl
13:40: zones.z.records.h.a: neither a known key nor an RR type; did you mean "A"?
13:46: zones.z.records.h.mx: neither a known key nor an RR type; did you mean "MX"?
13:63: zones.z.records.h.NSEC: is made by signing a zone, which is not supported yet
13:72: zones.z.records.h.TYPE255: is for queries and messages alone, no record has this type
13:84: zones.z.records.h.TYPE65536: neither a known key nor an RR type
13:98: zones.z.records.h.TYPE01: neither a known key nor an RR type
14:11: zones.z.records.i.A: expected a list of one or more texts, got an empty list
14:23: zones.z.records.i.TXT: expected a text in presentation format, got 5; write it in quotes: "5"
14:39: zones.z.records.i.MX[1]: "10 a" is in the list twice
14:48: zones.z.records.i.CAA: expected a list of one or more texts, got a mapping
15:11: zones.z.records.j.CNAME: cannot stand beside other types (RFC 2181, section 10.1)
16:25: zones.z.records.k.when_all_down: only where there is pools, route or federate
17:54: zones.z.records.l.ttl: expected whole seconds from 0 to 2147483647, got "5s"
18:36: zones.z.records.m.when_all_down: expected serve_all, empty or servfail, got "serve"; did you mean "serve_all"?
19:53: zones.z.records.n.when_all_down: empty cannot stand together with route; expected serve_all or servfail
20:19: zones.z.records.o.route.default: must be the last rule of its route
21:11: zones.z.records.p.route.default: missing; expected as the last rule of a route
21:19: zones.z.records.p.route.a b: expected a name of letters, digits, dots, underscores and hyphens, got "a b"
22:11: zones.z.records.q.route: expected a mapping of regions to targets, with default last, got a list
24:26: zones.z.records.s.pools[1].p: expected a weight from 0 to 1000000, got -1
24:30: zones.z.records.s.pools[1].x.to: missing; expected a mapping {weight: 90, to: target}
25:19: zones.z.records.t.route.default: must be the last rule of its route
25:34: zones.z.records.t.route.default.all: expected a list of one or more targets, got "p"
25:38: zones.z.records.t.route.nearest: the name "nearest" is reserved
26:7: zones.z.records.u: expected RR types, or pools, or route, or federate; the record has none of them
26:11: zones.z.records.u.pool: neither a known key nor an RR type; did you mean "pools"?
26:20: zones.z.records.u.rrsets: neither a known key nor an RR type
26:32: zones.z.records.u.routed: neither a known key nor an RR type; did you mean "route"?
26:51: zones.z.records.u.ttl: expected whole seconds from 0 to 2147483647, got 2147483648
27:31: zones.z.records.v.failback: expected a mapping such as {delay: 10m} or {delay: never}, got "5m"
27:35: zones.z.records.v.when_all_down: expected one of {pools: target} and {cname: name}
28:32: zones.z.records.w.failback.dely: unknown key; did you mean "delay"?
28:49: zones.z.records.w.failback.delay: expected never, or a duration from 0s to 168h, such as 10m, got "soon"
28:56: zones.z.records.w.when_all_down: expected one of {pools: target} and {cname: name}
28:72: zones.z.records.w.when_all_down.pool: unknown key; did you mean "pools"?
29:19: zones.z.records.x.failback: only where there is pools or route
29:42: zones.z.records.x.ttl: only a steered record follows health; expected whole seconds
29:65: zones.z.records.x.when_all_down: only where there is pools, route or federate
30:21: zones.z.records.y.MX: cannot stand beside when_all_down: {cname: ...}: a CNAME has no other types (RFC 2181, section 10.1)
30:31: zones.z.records.y.AAAA: cannot stand beside when_all_down: {cname: ...}: a CNAME has no other types (RFC 2181, section 10.1)
30:67: zones.z.records.y.when_all_down.cname: expected a host name, relative to the zone or with a final dot, got "a b"
31:21: zones.z.records.z.federate: expected a list of one or more pools, got "p"
31:24: zones.z.records.z.pools: federate is there already; expected only one of them
31:65: zones.z.records.z.when_all_down.pools[1].p: expected a weight from 0 to 1000000, got -1
31:71: zones.z.records.z.when_all_down.x: unknown key
32:12: zones.z.records.aa.federate: expected a list of one or more pools, got an empty list
32:26: zones.z.records.aa.ttl.max: missing; expected both min and max
32:26: zones.z.records.aa.ttl.min: missing; expected both min and max
33:20: zones.z.records.ab.pools.nearest: expected at most 16 members, got 17
34:30: zones.z.records.ac.route.default.nearest: expected a list of one or more targets, got an empty list
34:78: zones.z.records.ac.when_all_down.pools.nearest: expected a list of one or more targets, got "x"
34:93: zones.z.records.ac.failback: expected a mapping such as {delay: 10m} or {delay: never}, got nothing
35:33: zones.z.records.ad.federate: route is there already; expected only one of them
35:44: zones.z.records.ad.federate[0]: expected a name; a number must be put in quotes, got 5
35:48: zones.z.records.ad.when_all_down: expected one of {pools: target} and {cname: name}
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

FEDERATION = rows("""
pools:
  a: {endpoints: [192.0.2.1], locality: {region: r1, zone: z1}}
  b: {endpoints: [192.0.2.2], locality: {region: R2, zone: Z1}}
  c: {endpoints: [192.0.2.3], locality: {region: z1, zone: z3}}
  d: {endpoints: [192.0.2.4], locality: {region: same, zone: same}}
  n: {endpoints: [a.example.net], locality: {region: r1, zone: z4}}
  p: {endpoints: [192.0.2.5]}
  q: {endpoints: [{address: a.example.net, resolve: true}], locality: {region: r1, zone: z4}}
zones:
  z.example:
    nameservers: {ns1: [192.0.2.1]}
    contact: a@b.c
    transfer_to: 192.0.2.0/24
    records:
      a: {federate: [a, q]}
      b: {federate: [a, b]}
      c: {federate: [a, c]}
      d: {federate: [d]}
      e: {federate: [n, p, x]}
      "*.f": {federate: [a]}
      "@": {federate: [a]}
      Z.example.: {federate: [a]}
      g: {federate: [a], when_all_down: {pools: n}}
      h: {federate: [a], when_all_down: {pools: [q, none]}}
      i: {federate: [a], when_all_down: {cname: x}}
---
13:5: zones.z.example.transfer_to: only for zones whose records are all static; "a" is steered
16:25: zones.z.example.records.b.federate[1]: zone z1 is in region r2 here, and in r1 by pool a
17:25: zones.z.example.records.c.federate[1]: z1 is both a zone (of pool a) and a region (of pool c): the two names would be one
18:22: zones.z.example.records.d.federate[0]: same is both a zone (of pool d) and a region (of pool d): the two names would be one
19:22: zones.z.example.records.e.federate[0]: a.example.net of pool n is a host name; expected addresses, or resolve: true beside it
19:25: zones.z.example.records.e.federate[1]: pool p has no locality, which federation names are made of
19:28: zones.z.example.records.e.federate[2]: no pool "x"
20:15: zones.z.example.records.*.f.federate: a wildcard cannot be federated: other names are made of this one
21:13: zones.z.example.records.@.federate: federation names can answer a CNAME, which cannot stand at the apex
22:20: zones.z.example.records.Z.example..federate: federation names can answer a CNAME, which cannot stand at the apex
23:11: zones.z.example.records.g.federate: host names (pool n) and addresses (pool a) cannot answer one record; expected all of one kind
24:53: zones.z.example.records.h.when_all_down.pools[1]: no pool "none"
===
pools:
  a: {endpoints: [192.0.2.1]}
  r: {endpoints: [{address: a.example.net, resolve: true}]}
  n: {endpoints: [a.example.net]}
zones:
  z.example:
    nameservers: {ns1: [192.0.2.1]}
    contact: a@b.c
    records:
      a: {pools: [a, r]}
      b: {pools: [n, r]}
      c: {pools: a, when_all_down: {pools: {n: 1}}}
      d: {pools: n, when_all_down: {pools: r}}
      e: {pools: n, when_all_down: {cname: x.example.}}
      "@": {pools: a, when_all_down: {cname: x.example.}}
      f: {pools: {nearest: [a, [r, nun]]}, when_all_down: {pools: {x: {weight: 1, to: {all: [a, aaa]}}}}}
---
11:11: zones.z.example.records.b.pools: host names (pool n) and addresses (pool r) cannot answer one record; expected all of one kind
12:11: zones.z.example.records.c.pools: host names (pool n) and addresses (pool a) cannot answer one record; expected all of one kind
13:11: zones.z.example.records.d.pools: host names (pool n) and addresses (pool r) cannot answer one record; expected all of one kind
15:46: zones.z.example.records.@.when_all_down.cname: a CNAME cannot stand at the apex
16:36: zones.z.example.records.f.pools.nearest[1][1]: no pool "nun"
16:97: zones.z.example.records.f.when_all_down.pools.x.to.all[1]: no pool "aaa"
""")

TABLE = [*RECORDS, *REFERENCES, *FEDERATION]
