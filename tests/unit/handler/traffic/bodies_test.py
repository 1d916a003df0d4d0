"""Bodies of any size, with bounded memory."""
import hashlib
import os
import re
import socket
import threading
import time
import unittest

from support import MB, TIMEOUT, Harness, Traffic, echo, get, request


class Bodies(Traffic):
    """Of any size, up and down, with right checksums."""

    def upload(self, server_reads, size=20 * MB, chunked=False):
        digests = []

        def script(_, peer):
            head = peer.read_until(b"\r\n\r\n")
            digest = hashlib.sha256()
            if chunked:
                digest.update(peer.read_chunked()[0])
            else:
                left = int(re.search(rb"Content-Length: (\d+)", head).group(1))
                while left:
                    piece = server_reads(peer)[:left] if not peer.buffer else peer.buffer
                    peer.buffer = b""
                    digest.update(piece)
                    left -= len(piece)
            digests.append(digest.hexdigest())
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        server = self.server(script)
        data = os.urandom(MB) * (size // MB)
        peer = self.client()
        if chunked:
            peer.send(request("PUT", f"/to/{server.port}/", "Transfer-Encoding: chunked"))
            for start in range(0, len(data), 70_001):
                piece = data[start:start + 70_001]
                peer.send(b"%x\r\n" % len(piece) + piece + b"\r\n")
            peer.send(b"0\r\n\r\n")
        else:
            peer.send(request("PUT", f"/to/{server.port}/", f"Content-Length: {len(data)}") + data)
        self.assertEqual(peer.read_response().body, b"ok")
        self.assertEqual(digests, [hashlib.sha256(data).hexdigest()])

    def test_upload(self):
        self.upload(lambda peer: peer.socket.recv(1 << 18))

    def test_chunked_upload(self):
        self.upload(None, chunked=True)

    def test_upload_to_a_slow_server(self):
        before = self.harness.memory_kib()

        def slowly(peer):
            threading.Event().wait(0.001)
            return peer.socket.recv(16384)

        self.upload(slowly, size=8 * MB)
        self.assertLess(self.harness.memory_kib() - before, 4096)

    def download(self, send_body, data, read):
        def script(_, peer):
            while True:
                peer.read_request()
                send_body(peer, data)

        server = self.server(script)
        peer = self.client(receive_buffer=65536)
        peer.send(get(f"/to/{server.port}/"))
        digest = hashlib.sha256(read(peer)).hexdigest()
        self.assertEqual(digest, hashlib.sha256(data).hexdigest())
        peer.send(get("/respond"))
        self.assertEqual(peer.read_response().status, 200)

    @staticmethod
    def with_length(peer, data):
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data)

    @staticmethod
    def in_chunks(peer, data):
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for start in range(0, len(data), 99_991):
            piece = data[start:start + 99_991]
            peer.send(b"%X\r\n" % len(piece) + piece + b"\r\n")
        peer.send(b"0\r\nX-Sum: 1\r\n\r\n")

    def test_download(self):
        self.download(self.with_length, os.urandom(MB) * 20, lambda peer: peer.read_response().body)

    def test_chunked_download(self):
        self.download(self.in_chunks, os.urandom(MB) * 5, lambda peer: peer.read_response().body)

    def test_download_to_a_slow_reader(self):
        data = os.urandom(MB) * 20
        before = self.harness.memory_kib()
        most = []

        def slowly(peer):
            head = peer.read_until(b"\r\n\r\n")
            self.assertIn(b"Content-Length", head)
            body = bytearray(peer.buffer)
            peer.buffer = b""
            while len(body) < len(data):
                body += peer.socket.recv(32768)
                if len(body) % 20 == 0:
                    most.append(self.harness.memory_kib())
            return bytes(body)

        self.download(self.with_length, data, slowly)
        self.assertLess(max(most + [0]) - before, 4096)

    def test_a_reader_that_stops_holds_up_the_server(self):
        sent = []

        def script(_, peer):
            peer.read_request()
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (200 * MB))
            peer.socket.settimeout(1)
            count = 0
            try:
                while count < 200 * MB:
                    count += peer.socket.send(b"x" * 65536)
            except socket.timeout:
                pass
            sent.append(count)

        server = self.server(script)
        before = self.harness.memory_kib()
        peer = self.client(receive_buffer=65536)
        peer.send(get(f"/to/{server.port}/"))
        end = time.monotonic() + TIMEOUT
        while not sent and time.monotonic() < end:
            self.assertLess(self.harness.memory_kib() - before, 4096)
        self.assertLess(sent[0], 100 * MB)

    def test_memory_does_not_grow(self):
        server = self.server(echo)
        peer = self.client()
        body = b"m" * 100_000

        def many(count):
            for _ in range(count):
                peer.send(request("POST", f"/to/{server.port}/", f"Content-Length: {len(body)}", body=body))
                self.assertEqual(len(peer.read_response().body) > len(body), True)

        many(20)
        before = self.harness.memory_kib()
        many(200)
        self.assertLess(self.harness.memory_kib() - before, 1024)

    def test_idle_connections_hold_no_buffers(self):
        server = self.server(echo)
        peers = [self.client() for _ in range(100)]
        for peer in peers:
            peer.send(request("POST", f"/to/{server.port}/", "Content-Length: 5", body=b"hello"))
            peer.read_response()
        self.harness.wait_stats(lambda s: s["buffers"] == 0)

    def test_memory_of_idle_connections(self):
        peers = [self.client() for _ in range(100)]
        for peer in peers:
            peer.send(get("/respond"))
            peer.read_response()
        before = self.harness.memory_kib()
        more = [self.client() for _ in range(800)]
        for peer in more:
            peer.send(get("/respond"))
            peer.read_response()
        self.harness.wait_stats(lambda s: s["connections"] >= 900 and s["buffers"] == 0)
        self.assertLess((self.harness.memory_kib() - before) / 800, 2.0)


class Allocations(Traffic):
    @classmethod
    def setUpClass(cls):
        cls.harness = Harness(HARNESS_FORGETS="1")

    def test_none_per_request(self):
        server = self.server(echo)
        peers = [self.client() for _ in range(8)]

        def many(count):
            for i in range(count):
                for peer in peers:
                    peer.send(request("POST", f"/to/{server.port}/{i}", "Content-Length: 5", "Connection: keep-alive", body=b"hello"))
                for peer in peers:
                    self.assertEqual(peer.read_response().status, 200)
                    peer.send(get("/deny"))
                    self.assertEqual(peer.read_response().status, 403)

        many(20)
        first = self.harness.stats()["allocations"]
        per_question = self.harness.stats()["allocations"] - first
        many(50)
        self.assertEqual(self.harness.stats()["allocations"] - first, 2 * per_question)


if __name__ == "__main__":
    unittest.main()
