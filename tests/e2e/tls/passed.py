"""Bytes that the handler passes on, of tls and of tcp: ends, resets and a side that does not read come through as they are."""
import hashlib
import queue
import random
import socket
import threading

from world import TIMEOUT, RawServer, World, read_to_end, reset

MB = 1 << 20


def echo(peer):
    while part := peer.recv(1 << 16):
        peer.sendall(part)


class Passed:
    """Of a test case: `policy` with the place of one endpoint, `address` to dial, and what a client says `first`."""
    workers = 1
    host = "127.0.0.1"
    first = b""

    @classmethod
    def setUpClass(cls):
        cls.serve = echo
        cls.server = RawServer(lambda peer: cls.serve(peer), cls.host)
        host = f"[{cls.host}]" if ":" in cls.host else cls.host
        cls.world = World(cls.policy.format(endpoint=f"{host}:{cls.server.port}"), cls.workers)

    @classmethod
    def tearDownClass(cls):
        cls.world.close()
        cls.server.close()

    def serving(self, serve):
        type(self).serve = staticmethod(serve)
        self.addCleanup(setattr, type(self), "serve", staticmethod(echo))

    def connect(self):
        return self.world.connect(self.address)

    def test_half_closed_by_the_client(self):
        def serve(peer):
            got, how = read_to_end(peer)
            peer.sendall(hashlib.sha256(got).digest() + how.encode())

        self.serving(serve)
        sent = self.first + random.Random(1).randbytes(MB)
        with self.connect() as sock:
            sock.sendall(sent)
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(read_to_end(sock), (hashlib.sha256(sent).digest() + b"closed", "closed"))

    def test_half_closed_by_the_server(self):
        results = queue.Queue()

        def serve(peer):
            peer.sendall(b"that is all")
            peer.shutdown(socket.SHUT_WR)
            results.put(read_to_end(peer))

        self.serving(serve)
        with self.connect() as sock:
            sock.sendall(self.first)
            self.assertEqual(read_to_end(sock), (b"that is all", "closed"))
            body = random.Random(2).randbytes(MB)
            sock.sendall(body)
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(results.get(timeout=TIMEOUT), (self.first + body, "closed"))

    def test_a_reset_by_the_client(self):
        results = queue.Queue()

        def serve(peer):
            peer.recv(len(self.first))
            peer.sendall(b"hello")
            results.put(read_to_end(peer))

        self.serving(serve)
        with self.connect() as sock:
            sock.sendall(self.first)
            self.assertEqual(sock.recv(5), b"hello")
            reset(sock)
            self.assertEqual(results.get(timeout=TIMEOUT)[1], "reset")

    def test_a_reset_by_the_server(self):
        def serve(peer):
            peer.recv(len(self.first))
            reset(peer)

        self.serving(serve)
        with self.connect() as sock:
            sock.sendall(self.first)
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
            sock.sendall(self.first)
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
            self.assertEqual(results.get(timeout=TIMEOUT), hashlib.sha256(self.first + body).hexdigest())

    def test_a_client_that_resets_while_nobody_reads(self):
        """Its end comes through although bytes of it wait."""
        arrived, results = threading.Event(), queue.Queue()

        def serve(peer):
            arrived.wait(TIMEOUT)
            results.put(read_to_end(peer)[1])

        self.serving(serve)
        with self.connect() as sock:
            sock.sendall(self.first)
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
        up, down = self.first + random.Random(4).randbytes(20 * MB), random.Random(5).randbytes(20 * MB)
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
