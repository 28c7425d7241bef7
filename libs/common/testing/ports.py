"""Addresses for tests."""

import random
import socket

# Below the ports that Linux and macOS lend to outgoing connections (from 32,768), with room for a block that starts at one: a
# connection could take a server's port while the server restarts.
_RANGE = range(10_000, 32_000)
_given: set[int] = set()
# Seeds of tests are no concern of ports: the same seed in two processes would pick the same.
_chance = random.SystemRandom()


def free_port() -> int:
    """A TCP port on loopback that nothing listened on a moment ago, another one at each call."""
    while True:
        port = _chance.choice(_RANGE)
        if port in _given:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
