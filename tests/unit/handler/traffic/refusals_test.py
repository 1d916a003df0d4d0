"""What no server ever sees."""
import socket
import time
import unittest

from support import TIMEOUT, Traffic, echo, get, request, send_quietly


class Refusals(Traffic):
    """The server never sees a byte of it, and the connection ends."""

    def refused(self, data, status=400, server=None, end=False):
        peer = self.client()
        peer.send(data)
        if end:
            peer.socket.shutdown(socket.SHUT_WR)
        response = peer.read_response()
        self.assertEqual((response.status, response.field("connection"), response.field("x-heddle-rule")),
                         (status, "close", "mesh/malformed"), data[:80])
        self.assertTrue(peer.ended())
        if server:
            self.assertEqual(server.accepted, 0, data[:80])

    def test_malformed(self):
        server = self.server(echo)
        to = f"/to/{server.port}/"
        plain = f"GET {to} HTTP/1.1\r\nHost: a\r\n"
        for head in (
                plain.replace("\r\n", "\n") + "\n", plain.replace("\r\nHost", "\nHost") + "\r\n",
                plain + "X: a\r\n b\r\n\r\n", plain + "X : a\r\n\r\n", plain + "Host: a\r\n\r\n", plain + "X: \0\r\n\r\n",
                plain + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", plain + "Content-Length: 3\r\nContent-Length: 4\r\n\r\n",
                plain + "Transfer-Encoding: gzip\r\n\r\n", f"GET {to} HTTP/1.1\r\n\r\n", f"GET {to} HTTP/3.0\r\nHost: a\r\n\r\n",
                f"GET  {to} HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n" + plain + "\r\n",
                "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", f"get {to} HTTP/1.1\r\nHost: a\r\n\r\n"):
            self.refused(head.encode(), server=server)

    def test_a_malformed_request_behind_a_good_one(self):
        server = self.server(echo)
        peer = self.client()
        good = get(f"/to/{server.port}/good")
        peer.send(good + f"GET /to/{server.port}/bad HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".encode() + good)
        self.assertEqual(peer.read_response().body, good)
        self.assertEqual(peer.read_response().status, 400)
        self.assertTrue(peer.ended())
        self.assertEqual(server.received, [good])

    def test_smuggling(self):
        """What one reader takes for a body and another for a request reaches no server."""
        server = self.server(echo)
        to = f"/to/{server.port}/"
        inner = f"GET {to}smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
        for fields in (f"Content-Length: {len(inner) + 5}\r\nTransfer-Encoding: chunked", "Content-Length: 0\r\nContent-Length: 5",
                       "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "Transfer-Encoding: xchunked",
                       "Transfer-Encoding:\x0bchunked", "Transfer-Encoding : chunked", "Content-Length: 0x0",
                       "Content_Length: 5\r\nContent-Length: +0", "X: y\nTransfer-Encoding: chunked"):
            self.refused(f"POST {to} HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n0\r\n\r\n{inner}".encode(), server=server)

    def test_bad_chunks_that_come_with_the_head(self):
        server = self.server(echo)
        for body in (b"zz\r\n", b"5 \r\nhello\r\n0\r\n\r\n", b"1\nx\n0\n\n", b"0\r\nContent-Length: 5\r\n\r\n"):
            self.refused(request("POST", f"/to/{server.port}/", "Transfer-Encoding: chunked", body=body), server=server)

    def test_bad_chunks_later(self):
        ends = []

        def script(_, peer):
            peer.read_until(b"\r\n\r\n")
            try:
                peer.read_chunked()
                ends.append("complete")
            except (EOFError, ConnectionError):
                ends.append("cut")

        server = self.server(script)
        peer = self.client()
        peer.send(request("POST", f"/to/{server.port}/", "Transfer-Encoding: chunked", body=b"2\r\nab\r\n"))
        while server.accepted == 0:
            self.harness.stats()
        peer.send(b"zz\r\n")
        response = peer.read_response()
        self.assertEqual((response.status, response.field("x-heddle-rule")), (400, "mesh/malformed"))
        self.assertTrue(peer.ended())
        end = time.monotonic() + TIMEOUT
        while not ends and time.monotonic() < end:
            self.harness.stats()
        self.assertEqual(ends, ["cut"])

    def test_sizes(self):
        server = self.server(echo)
        to = f"/to/{server.port}/"
        prefix = len(to)
        self.assertEqual(self.ask(get(to + "a" * (16384 - prefix))).status, 200)
        self.refused(get(to + "a" * (16385 - prefix)), 414)
        empty = get(to, "X: ")
        fits = get(to, "X: " + "x" * (65536 - len(empty)))
        self.assertEqual(len(fits), 65536)
        self.assertEqual(self.ask(fits).body, fits)
        self.refused(fits.replace(b"X: ", b"X: x"), 431)
        self.refused(fits.replace(b"X: ", b"X: x") + b"more" * 1000, 431)
        self.refused(b"G" * 100_000, 431)
        self.refused(b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 405)

    def test_an_end_in_the_middle_of_a_head(self):
        self.refused(b"GET / HTTP/1.1\r\nHost:", end=True)
        self.refused(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", end=True)

    def test_an_end_without_a_request(self):
        peer = self.client()
        peer.socket.shutdown(socket.SHUT_WR)
        self.assertTrue(peer.ended())

    def test_refusal_is_read_though_more_was_sent(self):
        for _ in range(20):
            peer = self.client()
            send_quietly(peer, b"BAD\r\n\r\n" + b"x" * 200_000)
            self.assertEqual(peer.read_response().status, 400)


if __name__ == "__main__":
    unittest.main()
