"""Unit tests cannot reach the network."""

import socket

import pytest
import pytest_socket


def test_a_tcp_socket_is_refused() -> None:
    with pytest.warns(UserWarning, match="tried to use socket"), pytest.raises(pytest_socket.SocketBlockedError):
        socket.socket(socket.AF_INET, socket.SOCK_STREAM)
