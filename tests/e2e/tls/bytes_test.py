"""What a client of a tls service sends arrives as it was sent, or nothing of it does."""
import socket
import time
import unittest

from hello import MALFORMED, handshake, hello, records, server_name
from passed import Passed
from world import read_to_end

POLICY = """
mesh test {{ trust_domain "test.example" }}
identity web = spiffe "ns/test/sa/web"
workload web {{ cgroup "web.service" identity web }}
service gate {{
  address   10.96.7.1:443, [fd00:7::1]:443
  protocol  tls
  transport plaintext
  endpoint {endpoint}
}}
access gate {{ allow from web when sni is "a.example" or not sni in ["x.example"] }}
"""
HELLO = hello(b"a.example")
HELLO_TIME = 15  # seconds: Patience::head_ms


class Bytes(Passed, unittest.TestCase):
    policy = POLICY
    address = "4"
    first = HELLO

    def expect_echo(self, sock, sent):
        got = b""
        while len(got) < len(sent):
            part = sock.recv(1 << 16)
            self.assertTrue(part, f"{len(got)} bytes of {len(sent)}")
            got += part
        self.assertEqual(got, sent)

    def test_malformed_reaches_nobody(self):
        accepted = self.server.accepted
        for what, sent in MALFORMED.items():
            with self.subTest(what), self.connect() as sock:
                before = self.world.decisions("mesh/malformed")
                sock.sendall(sent)
                got, _ = read_to_end(sock)
                self.assertEqual(got, b"")
                self.assertEqual(self.world.decisions("mesh/malformed"), before + 1)
        self.assertEqual(self.server.accepted, accepted)

    def test_a_hello_that_ends_early(self):
        accepted = self.server.accepted
        before = self.world.decisions("mesh/malformed")
        with self.connect() as sock:
            sock.sendall(HELLO[:-1])
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(read_to_end(sock), (b"", "closed"))
        with self.connect() as sock:
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(read_to_end(sock), (b"", "closed"), "who says nothing has said nothing wrong")
        self.assertEqual(self.world.decisions("mesh/malformed"), before + 1)
        self.assertEqual(self.server.accepted, accepted)

    def test_every_split(self):
        for at in range(1, len(HELLO)):
            with self.connect() as sock:
                sock.sendall(HELLO[:at])
                sock.sendall(HELLO[at:])
                self.expect_echo(sock, HELLO)

    def test_one_byte_at_a_time(self):
        with self.connect() as sock:
            for at in range(len(HELLO)):
                sock.sendall(HELLO[at:at + 1])
            self.expect_echo(sock, HELLO)

    def test_small_records(self):
        """Of one byte each, and what follows in the same segment goes with them."""
        for size in (1, 4, 5, 100):
            sent = hello(b"a.example", record=size) + b"early data, or whatever comes behind"
            with self.subTest(size), self.connect() as sock:
                sock.sendall(sent)
                self.expect_echo(sock, sent)

    def test_the_longest_hello(self):
        for record in (16384, 1000, 264):
            sent = records(handshake(server_name(b"a.example"), size=16384 + 4), record)
            with self.subTest(record), self.connect() as sock:
                sock.sendall(sent)
                self.expect_echo(sock, sent)

    def test_a_hello_that_is_too_long(self):
        accepted = self.server.accepted
        for size, record in ((17000, 16384), (16384 + 4, 128), (65000, 16384)):
            sent = records(handshake(server_name(b"a.example"), size=size), record)
            with self.subTest(size), self.connect() as sock:
                sock.sendall(sent)
                got, _ = read_to_end(sock)
                self.assertEqual(got, b"")
        self.assertEqual(self.server.accepted, accepted)

    def test_slow_clients(self):
        """The time is for the whole ClientHello: who sends a little now and then gets no more of it."""
        accepted = self.server.accepted
        before = self.world.decisions("mesh/malformed")
        with self.connect() as half, self.connect() as trickle:
            began = time.monotonic()
            half.sendall(HELLO[:50])
            trickle.settimeout(1)
            for at in range(HELLO_TIME + 10):
                try:
                    trickle.sendall(HELLO[at:at + 1])
                    if not trickle.recv(1):
                        break
                except TimeoutError:
                    continue
                except (ConnectionResetError, BrokenPipeError):
                    break
            took = time.monotonic() - began
            self.assertTrue(HELLO_TIME - 1 <= took <= HELLO_TIME + 5, took)
            self.assertEqual(read_to_end(half), (b"", "closed"))
        self.assertEqual(self.world.decisions("mesh/malformed"), before + 2)
        self.assertEqual(self.server.accepted, accepted)


class BytesByThreeWorkers(Bytes):
    workers = 3


class BytesOfIPv6(Bytes):
    host = "::1"
    address = "6"


if __name__ == "__main__":
    unittest.main()
