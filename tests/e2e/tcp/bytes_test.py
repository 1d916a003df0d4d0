"""A connection to a tcp service that asks for its client's address: every byte goes through the handler, whoever speaks first."""
import hashlib
import queue
import random
import socket
import threading
import time
import unittest

from tcp_world import QUEUE, TIMEOUT, RawServer, World, echo, read_to_end, reset

POLICY = """
mesh test {{ trust_domain "test.example" }}
identity web = spiffe "ns/test/sa/web"
workload web {{ cgroup "web.service" identity web }}
service queue {{
  address   10.96.8.1:5672, [fd00:8::1]:5672
  protocol  tcp
  transport plaintext
  endpoint {endpoint}
}}
access queue {{ deny from any when address in [127.9.0.0/16]  allow from web }}
"""
MB = 1 << 20
HEAD_TIME = 15  # seconds: Patience::head_ms


class Bytes(unittest.TestCase):
    workers = 1
    host = "127.0.0.1"
    to = "4"

    @classmethod
    def setUpClass(cls):
        cls.serve = echo
        cls.server = RawServer(lambda peer: cls.serve(peer), cls.host)
        host = f"[{cls.host}]" if ":" in cls.host else cls.host
        cls.world = World(POLICY.format(endpoint=f"{host}:{cls.server.port}"), cls.workers)

    @classmethod
    def tearDownClass(cls):
        cls.world.close()
        cls.server.close()

    def serving(self, serve):
        type(self).serve = staticmethod(serve)
        self.addCleanup(setattr, type(self), "serve", staticmethod(echo))

    def connect(self):
        return self.world.connect(QUEUE[self.to])

    def test_the_server_speaks_first(self):
        said = queue.Queue()

        def serve(peer):
            peer.sendall(b"220 mail.example\r\n")
            said.put(peer.recv(100))

        self.serving(serve)
        with self.connect() as sock:
            self.assertEqual(sock.recv(100), b"220 mail.example\r\n")
            sock.sendall(b"QUIT\r\n")
            self.assertEqual(said.get(timeout=TIMEOUT), b"QUIT\r\n")
            self.assertEqual(read_to_end(sock), (b"", "closed"))

    def test_nobody_waits_for_the_client_to_speak(self):
        """Where listeners defer it is a second for each connection."""
        self.serving(lambda peer: peer.sendall(b"hello"))
        began = time.monotonic()
        for _ in range(20):
            with self.connect() as sock:
                self.assertEqual(read_to_end(sock), (b"hello", "closed"))
        self.assertLess(time.monotonic() - began, 15)

    def test_the_client_speaks_first(self):
        for sent in (b"x", b"\x16\x03\x01\x00\x05hello", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 5000):
            with self.subTest(sent[:8]), self.connect() as sock:
                sock.sendall(sent)
                sock.shutdown(socket.SHUT_WR)
                self.assertEqual(read_to_end(sock), (sent, "closed"))

    def test_nobody_says_anything(self):
        """An end is passed on at once, and nobody is bound to say anything in some time."""
        with self.connect() as sock:
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(read_to_end(sock), (b"", "closed"))
        with self.connect() as sock:
            time.sleep(HEAD_TIME + 2)
            sock.sendall(b"still there")
            self.assertEqual(sock.recv(100), b"still there")

    def test_what_the_client_dialled_is_what_it_sees(self):
        with self.connect() as sock:
            self.assertEqual(sock.getpeername()[:2], QUEUE[self.to])

    def test_half_closed_by_the_client(self):
        def serve(peer):
            got, how = read_to_end(peer)
            peer.sendall(hashlib.sha256(got).digest() + how.encode())

        self.serving(serve)
        body = random.Random(1).randbytes(MB)
        with self.connect() as sock:
            sock.sendall(body)
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(read_to_end(sock), (hashlib.sha256(body).digest() + b"closed", "closed"))

    def test_half_closed_by_the_server(self):
        results = queue.Queue()

        def serve(peer):
            peer.sendall(b"that is all")
            peer.shutdown(socket.SHUT_WR)
            results.put(read_to_end(peer))

        self.serving(serve)
        with self.connect() as sock:
            self.assertEqual(read_to_end(sock), (b"that is all", "closed"))
            body = random.Random(2).randbytes(MB)
            sock.sendall(body)
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(results.get(timeout=TIMEOUT), (body, "closed"))

    def test_a_reset_by_the_client(self):
        results = queue.Queue()

        def serve(peer):
            peer.sendall(b"hello")
            results.put(read_to_end(peer))

        self.serving(serve)
        with self.connect() as sock:
            self.assertEqual(sock.recv(5), b"hello")
            reset(sock)
            self.assertEqual(results.get(timeout=TIMEOUT)[1], "reset")

    def test_a_reset_by_the_server(self):
        self.serving(reset)
        with self.connect() as sock:
            self.assertEqual(read_to_end(sock), (b"", "reset"))

    def test_a_server_that_does_not_read(self):
        """Who is slow holds up the other side: nothing piles up in between."""
        go, results = threading.Event(), queue.Queue()

        def serve(peer):
            go.wait(TIMEOUT)
            results.put(hashlib.sha256(read_to_end(peer)[0]).hexdigest())

        self.serving(serve)
        body = random.Random(3).randbytes(60 * MB)
        with self.connect() as sock:
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
            self.assertEqual(results.get(timeout=TIMEOUT), hashlib.sha256(body).hexdigest())

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
            writer = threading.Thread(target=lambda: (sock.sendall(up), sock.shutdown(socket.SHUT_WR)))
            writer.start()
            got, how = read_to_end(sock)
            writer.join()
            self.assertEqual((hashlib.sha256(got).hexdigest(), how), (hashlib.sha256(down).hexdigest(), "closed"))
            self.assertEqual(results.get(timeout=TIMEOUT), hashlib.sha256(up).hexdigest())


class BytesByThreeWorkers(Bytes):
    workers = 3


class BytesOfIPv6(Bytes):
    host = "::1"
    to = "6"


class BytesOfMappedAddresses(Bytes):
    to = "mapped"


if __name__ == "__main__":
    unittest.main()
