"""What a client of a tls service sends arrives as it was sent, or nothing of it does."""
import hashlib
import queue
import random
import socket
import threading
import time
import unittest

from hello import MALFORMED, handshake, hello, records, server_name
from world import TIMEOUT, RawServer, World, read_to_end, reset

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
MB = 1 << 20
HELLO = hello(b"a.example")
HELLO_TIME = 15  # seconds: Patience::head_ms


class Bytes(unittest.TestCase):
    workers = 1
    host = "127.0.0.1"
    to = "4"

    @classmethod
    def setUpClass(cls):
        cls.peers = queue.Queue()
        cls.server = RawServer(lambda peer: cls.serve(peer), cls.host)
        cls.serve = cls.echo
        host = f"[{cls.host}]" if ":" in cls.host else cls.host
        cls.world = World(POLICY.format(endpoint=f"{host}:{cls.server.port}"), cls.workers)

    @classmethod
    def tearDownClass(cls):
        cls.world.close()
        cls.server.close()

    @staticmethod
    def echo(peer):
        while part := peer.recv(1 << 16):
            peer.sendall(part)

    def serving(self, serve):
        type(self).serve = staticmethod(serve)
        self.addCleanup(setattr, type(self), "serve", staticmethod(Bytes.echo))

    def connect(self):
        return self.world.connect(self.to)

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

    def test_half_closed_by_the_client(self):
        def serve(peer):
            got, how = read_to_end(peer)
            peer.sendall(hashlib.sha256(got).digest() + how.encode())

        self.serving(serve)
        body = random.Random(1).randbytes(MB)
        with self.connect() as sock:
            sock.sendall(HELLO + body)
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(read_to_end(sock), (hashlib.sha256(HELLO + body).digest() + b"closed", "closed"))

    def test_half_closed_by_the_server(self):
        results = queue.Queue()

        def serve(peer):
            peer.sendall(b"that is all")
            peer.shutdown(socket.SHUT_WR)
            results.put(read_to_end(peer))

        self.serving(serve)
        with self.connect() as sock:
            sock.sendall(HELLO)
            self.assertEqual(read_to_end(sock), (b"that is all", "closed"))
            body = random.Random(2).randbytes(MB)
            sock.sendall(body)
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(results.get(timeout=TIMEOUT), (HELLO + body, "closed"))

    def test_a_reset_by_the_client(self):
        results, arrived = queue.Queue(), threading.Event()

        def serve(peer):
            peer.recv(len(HELLO))
            arrived.set()
            results.put(read_to_end(peer))

        self.serving(serve)
        with self.connect() as sock:
            sock.sendall(HELLO)
            self.assertTrue(arrived.wait(TIMEOUT))
            reset(sock)
            self.assertEqual(results.get(timeout=TIMEOUT)[1], "reset")

    def test_a_reset_by_the_server(self):
        def serve(peer):
            peer.recv(len(HELLO))
            reset(peer)

        self.serving(serve)
        with self.connect() as sock:
            sock.sendall(HELLO)
            self.assertEqual(read_to_end(sock), (b"", "reset"))

    def test_a_server_that_does_not_read(self):
        """Who is slow holds up the other side: nothing piles up in between."""
        go, results = threading.Event(), queue.Queue()

        def serve(peer):
            go.wait(TIMEOUT)
            got, _ = read_to_end(peer)
            results.put(hashlib.sha256(got).hexdigest())

        self.serving(serve)
        body = random.Random(3).randbytes(60 * MB)
        with self.connect() as sock:
            sock.sendall(HELLO)
            sock.settimeout(0.5)
            sent = 0
            while sent < len(body):
                try:
                    sent += sock.send(body[sent:sent + MB])
                except TimeoutError:
                    break
            self.assertLess(sent, len(body))
            go.set()
            sock.settimeout(TIMEOUT)
            sock.sendall(body[sent:])
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(results.get(timeout=TIMEOUT), hashlib.sha256(HELLO + body).hexdigest())

    def test_a_client_that_resets_while_nobody_reads(self):
        """Its end comes through although bytes of it wait."""
        arrived, results = threading.Event(), queue.Queue()

        def serve(peer):
            arrived.wait(TIMEOUT)
            results.put(read_to_end(peer)[1])

        self.serving(serve)
        with self.connect() as sock:
            sock.sendall(HELLO)
            sock.settimeout(0.5)
            try:
                while True:
                    sock.send(b"x" * MB)
            except TimeoutError:
                pass
            reset(sock)
            arrived.set()
            self.assertEqual(results.get(timeout=TIMEOUT), "reset")

    def test_20_mb_in_both_directions(self):
        up, down = random.Random(4).randbytes(20 * MB), random.Random(5).randbytes(20 * MB)
        results = queue.Queue()

        def serve(peer):
            writer = threading.Thread(target=lambda: (peer.sendall(down), peer.shutdown(socket.SHUT_WR)))
            writer.start()
            results.put(hashlib.sha256(read_to_end(peer)[0]).hexdigest())
            writer.join()

        self.serving(serve)
        with self.connect() as sock:
            writer = threading.Thread(target=lambda: (sock.sendall(HELLO + up), sock.shutdown(socket.SHUT_WR)))
            writer.start()
            got, how = read_to_end(sock)
            writer.join()
            self.assertEqual((hashlib.sha256(got).hexdigest(), how), (hashlib.sha256(down).hexdigest(), "closed"))
            self.assertEqual(results.get(timeout=TIMEOUT), hashlib.sha256(HELLO + up).hexdigest())


class BytesByThreeWorkers(Bytes):
    workers = 3


class BytesOfIPv6(Bytes):
    host = "::1"
    to = "6"


if __name__ == "__main__":
    unittest.main()
