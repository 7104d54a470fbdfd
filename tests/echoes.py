"""Small servers of TCP and UDP on loopback that say who they are, and clients that ask them."""

from __future__ import annotations

import socket
import socketserver
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Thread

from tests.servers import CALL, free_ports

SOON = 2.0  # seconds in which an answer must come that is asked for again where it does not


class _Tcp(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class EchoServer:
    """Answers a line, or a datagram, with its name and what came."""

    def __init__(self, name: str, port: int, address: str, *, udp: bool = False) -> None:
        self.name, self.address, self.port = name, address, port

        class Stream(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(name.encode() + b" " + self.rfile.readline())

        class Datagram(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                data, back = self.request
                back.sendto(name.encode() + b" " + data, self.client_address)

        self._server: socketserver.BaseServer
        if udp:
            self._server = socketserver.ThreadingUDPServer((address, port), Datagram)
        else:
            self._server = _Tcp((address, port), Stream)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Takes nothing from now on."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def echo_servers(*names: str, udp: bool = False) -> Iterator[dict[str, EchoServer]]:
    """Such servers at one port, by name, each at an address of its own."""
    (port,) = free_ports(1)
    with ExitStack() as stack:
        found = {}
        for at, name in enumerate(names, 1):
            found[name] = EchoServer(name, port, f"127.0.2.{at}", udp=udp)
            stack.callback(found[name].stop)
        yield found


def tcp_answer(port: int, said: str = "hello\n", *, name: str = "") -> str:
    """What comes back at a port of loopback until the connection ends; empty where nothing does.

    `name`: of the server that is asked for with TLS.
    """
    try:
        with socket.create_connection(("127.0.0.1", port), CALL) as plain:
            if not name:
                return _line(plain, said)
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the certificate is Traefik's own
            with context.wrap_socket(plain, server_hostname=name) as secure:
                return _line(secure, said)
    except OSError:
        return ""


def _line(connection: socket.socket, said: str) -> str:
    connection.sendall(said.encode())
    with connection.makefile("rb") as answer:
        return answer.read(1000).decode()


def udp_answer(port: int, said: str = "hello\n") -> str:
    """The datagram that comes back from a port of loopback; empty where none does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.settimeout(SOON)
        own.sendto(said.encode(), ("127.0.0.1", port))
        try:
            return own.recv(1000).decode()
        except OSError:
            return ""
