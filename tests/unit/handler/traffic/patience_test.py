"""Whoever takes a place and does nothing with it loses it; whoever waits for a server does not."""
import resource
import socket
import threading
import time
import unittest

from support import SANITIZED, TIMEOUT, Harness, Peer, Server, Traffic, get, request


class Patience(Traffic):
    @classmethod
    def setUpClass(cls):
        cls.harness = Harness(HARNESS_IMPATIENT="1")

    def test_half_a_head(self):
        peer = self.client()
        peer.send(b"GET / HTTP/1.1\r\nHo")
        self.assertTrue(peer.ended())

    def test_a_head_byte_by_byte_has_no_more_time(self):
        peer = self.client()
        begun = time.monotonic()
        try:
            while time.monotonic() - begun < TIMEOUT:
                peer.send(b"G")
                peer.socket.settimeout(0.05)
                try:
                    if peer.socket.recv(1) == b"":
                        break
                except socket.timeout:
                    pass
        except ConnectionError:
            pass
        self.assertLess(time.monotonic() - begun, TIMEOUT / 2)

    def test_nothing_at_all(self):
        self.assertTrue(self.client().ended())

    def test_idle_after_a_request(self):
        peer = self.client()
        peer.send(get("/respond"))
        peer.read_response()
        self.assertTrue(peer.ended())

    def test_a_body_that_stops(self):
        server = self.server(lambda _, peer: peer.read_to_end())
        peer = self.client()
        peer.send(request("POST", f"/to/{server.port}/", "Content-Length: 10", body=b"abc"))
        with self.assertRaises(ConnectionResetError):
            peer.read_response()

    def test_a_reader_that_stops(self):
        sent = threading.Event()

        def script(_, peer):
            peer.read_request()
            try:
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n" + b"x" * 50_000_000)
            except ConnectionError:
                sent.set()

        server = self.server(script)
        peer = self.client(receive_buffer=65536)
        peer.send(get(f"/to/{server.port}/"))
        self.assertTrue(sent.wait(TIMEOUT))

    def test_a_server_that_thinks_has_all_the_time(self):
        release = threading.Event()

        def script(_, peer):
            peer.read_request()
            release.wait(TIMEOUT)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        server = self.server(script)
        peer = self.client()
        peer.send(get(f"/to/{server.port}/"))
        # Longer than every patience of the harness: others come and are thrown out meanwhile.
        for _ in range(3):
            self.assertTrue(self.client().ended())
        release.set()
        self.assertEqual(peer.read_response().body, b"ok")

    def test_an_endpoint_that_does_not_answer(self):
        # A listener whose queue is full drops what more comes.
        full = socket.socket()
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = []
        for _ in range(4):
            connection = socket.socket()
            connection.setblocking(False)
            connection.connect_ex(full.getsockname())
            waiting.append(connection)
        response = self.ask(get(f"/to/{full.getsockname()[1]}/"))
        self.assertEqual((response.status, response.field("x-heddle-rule")), (503, "service echo/unhealthy"))
        for connection in waiting:
            connection.close()
        full.close()

    def test_a_refused_client_that_does_not_go(self):
        peer = self.client()
        peer.send(b"BAD\r\n\r\n")
        self.assertEqual(peer.read_response().status, 400)
        self.harness.wait_stats(lambda stats: stats["connections"] == 0)


class Bounds(unittest.TestCase):
    def test_more_clients_than_places(self):
        harness = Harness(HARNESS_CONNECTIONS="10", HARNESS_IMPATIENT="1")
        peers = [Peer(socket.create_connection(("127.0.0.1", harness.port), TIMEOUT)) for _ in range(30)]
        for peer in peers:
            peer.send(get("/respond", "Connection: close"))
        for peer in peers:
            self.assertEqual(peer.read_response().status, 200)
            peer.socket.close()
        self.assertEqual(harness.close(), 0)

    def test_no_descriptors(self):
        if SANITIZED:
            return  # its check of a virtual call needs a descriptor itself
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (24, limit[1]))
        harness = Harness(HARNESS_IMPATIENT="1")
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
        server = Server(lambda server, peer: (peer.read_request(), peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")))
        peers = [Peer(socket.create_connection(("127.0.0.1", harness.port), TIMEOUT)) for _ in range(40)]
        for peer in peers:
            peer.send(get(f"/to/{server.port}/", "Connection: close"))
        statuses = set()
        for peer in peers:
            statuses.add(peer.read_response().status)
            peer.socket.close()
        # There may be no descriptor for an endpoint; but nobody is forgotten.
        self.assertLessEqual(statuses, {200, 503})
        server.close()
        self.assertEqual(harness.close(), 0)


if __name__ == "__main__":
    unittest.main()
