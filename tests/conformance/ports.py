"""Ports of loopback addresses that nobody has."""

import socket


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that is free for UDP and TCP."""
    for _ in range(50):
        with socket.create_server((host, 0)) as tcp:
            port: int = tcp.getsockname()[1]
            if is_free(host, port, tcp_too=False):
                return port
    raise AssertionError(f"no port is free on {host}")


def is_free(host: str, port: int, tcp_too: bool = True) -> bool:
    """Binding without SO_REUSEPORT fails as long as any process has a socket there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        try:
            udp.bind((host, port))
            if tcp_too:
                socket.create_server((host, port)).close()
        except OSError:
            return False
    return True
