"""Configurations as texts, and how tables of their mistakes are written."""

ZONE = "zones: {z.example: {nameservers: {ns1: [192.0.2.53]}, contact: h@z.example}}\n"


def rows(text):
    """Cut a table into (yaml, mistakes): blocks apart by a line of ===, mistakes after ---."""
    blocks = [block.strip("\n").split("\n---\n") for block in text.split("\n===\n")]
    return [(source, expected.split("\n")) for source, expected in blocks]


FULL = """
server:
  listen: ["127.0.0.1:5300", "[::1]:5300"]
  workers: auto
  user: nobody
  state_dir: state
  nsid: edge-1
  version: null
  cookies: {secret_file: secrets}
  isolation: {canaries: ["192.0.2.1:443", "[::1]:53", "Canary.example.net:80"], share: 30%, window: 1m}
  client_subnet: false
  udp_payload: 1400
  startup_wait: 500ms
  tcp: {max_connections: 10, max_per_client: 5, idle_timeout: 1m}
  log: {format: json, level: debug}
admin: {listen: null, hosts: [GTM.example.net], token_file: token}
geoip: {databases: [city.mmdb, builtin]}
regions:
  office: {networks: [203.0.113.0/24, "2001:db8::/32"]}
  zj: {subdivisions: [CN-ZJ], isps: [telecom], asns: [4134], countries: [CN, NO], continents: [AS], match: all}
health_checks:
  web: {type: http, path: /healthz, host: www.example.com, expect_status: ["200-399", 404], expect_body: "^ok", eject: {base: 1m}}
  tls: {type: https, interval: 1s, verify_tls: false, method: HEAD}
  port: {type: tcp, port: 22, timeout: 100ms, fall: 1, rise: 1, clear: 2}
  hello: {type: tls, port: 853, host: ns.example.com, verify_tls: false, eject: null}
  ping: {type: icmp}
  zone: {type: dns, query: Example.COM., query_type: MX, expect_rcode: [NOERROR, NXDOMAIN], expect_answer: 10 mail.example.com.}
  rpc: {type: grpc, port: 50051, service: shop.Cart, tls: true, host: rpc.example.com}
  told: {type: push, token_file: push-token, interval: 30s}
pools:
  plain: {endpoints: [192.0.2.1, "2001:DB8::1"], locality: {region: CN-Hangzhou, zone: cn-hangzhou-b}}
  place: {endpoints: [192.0.2.7], select: hash, ramp: 5m, location: [-30, 120.15]}
  found: {endpoints: [{address: origin.example.net, resolve: true}]}
  heavy:
    endpoints:
      - 192.0.2.2
      - {address: 192.0.2.3, weight: 3, health_check: port}
      - {address: 192.0.2.4, weight: 0, health_check: null}
    health_check: [web, tls]
    min_available: "50%"
  few: {endpoints: [192.0.2.5], max_answers: 2, min_available: 1, select: weighted, health_check: web}
  names: {endpoints: [LB.Example.net., {address: lb2.example.net, weight: 2}]}
zones:
  GTM.example.com:
    nameservers: {ns1: [192.0.2.53, "2001:db8::53"], ns2.other.example.: [], ns3.gtm.example.com.: [192.0.2.54]}
    contact: hostmaster@example.com
    serial: 7
    ttl: 0
    negative_ttl: 5
    records:
      "@": {MX: ["10 mail"], TXT: "v=spf1 -all"}
      www: {pools: plain, ttl: 30, TXT: [a, b]}
      10: {PTR: x.example.}
      mesh: {pools: {home: {weight: 90, to: [plain, heavy]}, few: 10}, when_all_down: empty}
      near:
        route: {zj: {all: [plain, few]}, office: heavy, default: [plain]}
        when_all_down: servfail
      cname: {pools: names}
      close: {pools: {nearest: [place, [plain, few]]}, failback: {delay: 10m}, ttl: {min: 5, max: 60}}
      stay: {pools: [plain, heavy], failback: {delay: never}, when_all_down: {pools: [found, place]}}
      spare: {pools: plain, when_all_down: {cname: static.example.net.}, failback: {}}
      svc: {federate: [plain]}
  static.example.com:
    nameservers: {ns.other.example.: []}
    contact: hostmaster@example.com
    ttl: {min: 1, max: 30}
    transfer_to: [192.0.2.0/24, "2001:db8::1"]
"""
