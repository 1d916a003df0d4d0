"""What a server may do wrong."""
import socket
import threading
import time
import unittest

from support import TIMEOUT, Traffic, answering, get, request, resets


class Servers(Traffic):
    """What a server may do wrong."""

    def test_malformed_responses(self):
        for answer in (b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", b"HTTP/1.1 20 OK\r\n\r\n",
                       b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                       b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
                       b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
                       b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n"):
            server = self.server(answering(answer))
            peer = self.client()
            peer.send(get(f"/to/{server.port}/"))
            response = peer.read_response()
            self.assertEqual((response.status, response.field("x-heddle-rule")), (502, "route echo/1"), answer[:40])
            peer.send(get("/respond"))
            self.assertEqual(peer.read_response().status, 200)

    def test_a_long_head_is_fine(self):
        answer = b"HTTP/1.1 200 OK\r\nX: " + b"x" * 60_000 + b"\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
        server = self.server(answering(answer))
        response = self.ask(get(f"/to/{server.port}/"))
        self.assertEqual((response.body, len(response.field("x"))), (b"ok", 60_000))

    def test_no_response(self):
        for script in (lambda _, peer: peer.read_request(), lambda _, peer: (peer.read_request(), resets(peer))):
            server = self.server(script)
            response = self.ask(get(f"/to/{server.port}/"))
            self.assertEqual((response.status, response.field("x-heddle-rule")), (502, "route echo/1"))
            self.assertEqual(server.accepted, 1)

    def test_cut_short(self):
        for answer in (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
                       b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n"):
            server = self.server(answering(answer))
            peer = self.client()
            peer.send(get(f"/to/{server.port}/"))
            with self.assertRaises((ConnectionError, EOFError)):
                peer.read_response()

    def test_more_than_was_asked_for(self):
        """Bytes behind a response are nobody's, least of all the next request's answer."""
        server = self.server(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
                                       close=False))
        peer = self.client()
        for _ in range(4):
            peer.send(get(f"/to/{server.port}/"))
            self.assertEqual(peer.read_response().body, b"ok")
        self.assertEqual(server.accepted, 4)

    def test_a_stale_connection_is_replaced(self):
        """A server that closed an idle connection just before the next request came saw nothing of it."""
        for method in ("GET", "POST"):
            for attempt in range(10):
                connections = []

                def script(_, peer):
                    connections.append(peer)
                    peer.read_request()
                    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                    self.finished.wait(TIMEOUT)

                self.finished = threading.Event()
                server = self.server(script)
                peer = self.client()
                peer.send(request(method, f"/to/{server.port}/a", "Content-Length: 0"))
                self.assertEqual(peer.read_response().body, b"ok")
                self.harness.stop()
                # Either can be found first.
                second = request(method, f"/to/{server.port}/b", "Content-Length: 0")
                if attempt % 2:
                    peer.send(second)
                connections[0].socket.close()
                if not attempt % 2:
                    peer.send(second)
                self.harness.go_on()
                self.assertEqual(peer.read_response().body, b"ok", attempt)
                self.assertEqual(server.accepted, 2)
                self.finished.set()

    def test_an_end_that_comes_with_the_response(self):
        """Such a connection is not kept: a request too long to be sent twice would be lost on it."""
        go = threading.Event()
        body = b"y" * 100_000

        def script(_, peer):
            peer.read_request()
            go.wait(TIMEOUT)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        server = self.server(script)
        peer = self.client()
        peer.send(get(f"/to/{server.port}/"))
        while not server.accepted:
            self.harness.stats()
        self.harness.stop()
        go.set()
        while server.served == 0:
            time.sleep(0.001)
        peer.send(request("POST", f"/to/{server.port}/", f"Content-Length: {len(body)}", body=body))
        self.harness.go_on()
        self.assertEqual(peer.read_response().body, b"ok")
        self.assertEqual(peer.read_response().body, b"ok")

    def test_a_request_that_a_server_got_is_not_repeated(self):
        seen = []

        def script(_, peer):
            seen.append(peer.read_request()[0])
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            seen.append(peer.read_request()[0])

        server = self.server(script)
        peer = self.client()
        peer.send(request("POST", f"/to/{server.port}/1", "Content-Length: 0"))
        self.assertEqual(peer.read_response().body, b"ok")
        peer.send(request("POST", f"/to/{server.port}/2", "Content-Length: 0"))
        self.assertEqual(peer.read_response().status, 502)
        self.assertEqual((len(seen), server.accepted), (2, 1))


if __name__ == "__main__":
    unittest.main()
