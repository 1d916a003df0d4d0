"""What the framing of messages allows."""
import re
import socket
import subprocess
import unittest

from support import MB, TIMEOUT, Traffic, answering, echo, get, request, resets, send_quietly, sending


class Messages(Traffic):
    """What the framing of messages allows."""

    def test_head(self):
        server = self.server(echo)
        peer = self.client()
        peer.send(request("HEAD", f"/to/{server.port}/") + get("/respond"))
        self.assertNotEqual(peer.read_response("HEAD").field("content-length"), "0")
        self.assertEqual(peer.read_response().body, b"hello\n")
        self.assertEqual(server.accepted, 1)

    def test_without_body(self):
        for answer in (b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n",
                       b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"):
            server = self.server(answering(answer, close=False))
            peer = self.client()
            for _ in range(3):
                peer.send(get(f"/to/{server.port}/"))
                self.assertEqual(peer.read_response().head, answer)
            self.assertEqual(server.accepted, 1)

    def test_204_with_a_length(self):
        server = self.server(answering(b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", close=False))
        self.assertEqual(self.ask(get(f"/to/{server.port}/")).head, b"HTTP/1.1 204 No Content\r\n\r\n")

    def test_until_close(self):
        server = self.server(answering(b"HTTP/1.1 200 OK\r\n\r\n" + b"c" * 50_000))
        peer = self.client()
        peer.send(get(f"/to/{server.port}/"))
        response = peer.read_response()
        self.assertEqual((response.body, response.field("connection")), (b"c" * 50_000, "close"))

    def test_until_close_that_breaks(self):
        def script(_, peer):
            peer.read_request()
            peer.send(b"HTTP/1.1 200 OK\r\n\r\n" + b"c" * 5000)
            resets(peer)

        server = self.server(script)
        peer = self.client()
        peer.send(get(f"/to/{server.port}/"))
        with self.assertRaises(ConnectionResetError):
            peer.read_response()

    def test_http10_server(self):
        server = self.server(answering(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"))
        peer = self.client()
        for _ in range(3):
            peer.send(get(f"/to/{server.port}/"))
            self.assertEqual(peer.read_response().head, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")

    def test_http10_client(self):
        server = self.server(echo)
        peer = self.client()
        peer.send(get(f"/to/{server.port}/", version="1.0"))
        response = peer.read_response()
        self.assertEqual(response.body, get(f"/to/{server.port}/", version="1.0"))
        self.assertEqual(response.field("connection"), "close")
        self.assertTrue(peer.ended())

    def test_http10_client_that_stays(self):
        server = self.server(echo)
        peer = self.client()
        for _ in range(3):
            peer.send(get(f"/to/{server.port}/", "Connection: keep-alive", version="1.0"))
            self.assertEqual(peer.read_response().field("connection"), "keep-alive")
        peer.send(get("/deny", "Connection: keep-alive", version="1.0"))
        self.assertEqual(peer.read_response().field("connection"), "keep-alive")

    def test_http10_client_gets_no_chunks(self):
        server = self.server(answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                       b"3\r\nabc\r\n5;x=y\r\ndefgh\r\n0\r\nT: x\r\n\r\n"))
        peer = self.client()
        peer.send(get(f"/to/{server.port}/", "Connection: keep-alive", version="1.0"))
        response = peer.read_response()
        self.assertEqual((response.body, response.field("transfer-encoding"), response.field("connection")),
                         (b"abcdefgh", None, "close"))

    def test_http10_without_host(self):
        server = self.server(echo)
        head = f"GET /to/{server.port}/ HTTP/1.0\r\n\r\n".encode()
        self.assertEqual(self.ask(head).body, head)

    def test_trailers_both_ways(self):
        raw = []

        def script(_, peer):
            peer.read_until(b"\r\n\r\n")
            raw.append(peer.read_chunked()[1])
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n" + raw[0])

        server = self.server(script)
        body = b"4\r\nabcd\r\n0\r\nX-Sum: 17\r\nX-B: c\r\n\r\n"
        peer = self.client()
        peer.send(request("POST", f"/to/{server.port}/", "Transfer-Encoding: chunked", "Trailer: X-Sum", body=body))
        peer.read_until(b"\r\n\r\n")
        self.assertEqual(peer.read_chunked()[1], body)
        self.assertEqual(raw, [body])

    def test_expect_continue(self):
        def script(server, peer):
            head = peer.read_until(b"\r\n\r\n")
            server.received.append(head)
            peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = peer.read_exactly(5)
            peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + body)

        server = self.server(script)
        peer = self.client()
        peer.send(request("POST", f"/to/{server.port}/", "Content-Length: 5", "Expect: 100-continue"))
        self.assertEqual(peer.read_response().head, b"HTTP/1.1 100 Continue\r\n\r\n")
        self.assertIn(b"Expect: 100-continue", server.received[0])
        peer.send(b"hello")
        self.assertEqual(peer.read_response().head, b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
        self.assertEqual(peer.read_response().body, b"hello")

    def test_expect_continue_refused(self):
        server = self.server(answering(b"HTTP/1.1 417 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))

        def script(_, peer):
            peer.read_until(b"\r\n\r\n")
            peer.send(b"HTTP/1.1 417 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        server = self.server(script)
        peer = self.client()
        peer.send(request("POST", f"/to/{server.port}/", "Content-Length: 5", "Expect: 100-continue"))
        self.assertEqual(peer.read_response().status, 417)
        peer = self.client()
        peer.send(request("POST", "/deny", "Content-Length: 5", "Expect: 100-continue"))
        response = peer.read_response()
        self.assertEqual((response.status, response.field("connection")), (403, "close"))

    def test_curl_uploads_with_expect(self):
        server = self.server(self.continuing)
        process = subprocess.run(
            ["curl", "-sS", "-H", "Expect: 100-continue", "--data-binary", "@-",
             f"http://127.0.0.1:{self.harness.port}/to/{server.port}/"],
            input=b"u" * (3 * MB), stdout=subprocess.PIPE, timeout=TIMEOUT, check=True)
        self.assertEqual(process.stdout, b"%d" % (3 * MB))

    @staticmethod
    def continuing(_, peer):
        head = peer.read_until(b"\r\n\r\n")
        if b"100-continue" in head:
            peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = peer.read_exactly(int(re.search(rb"Content-Length: (\d+)", head).group(1)))
        answer = b"%d" % len(body)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)

    def test_no_interim_for_http10(self):
        server = self.server(answering(b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
        self.assertEqual(self.ask(get(f"/to/{server.port}/", version="1.0")).status, 200)

    def test_early_response(self):
        """The server answers in the middle of the request, and reads no more of it."""

        def script(_, peer):
            peer.read_until(b"\r\n\r\n")
            peer.read_exactly(1000)
            peer.send(b"HTTP/1.1 413 Too Much\r\nContent-Length: 4\r\nConnection: close\r\n\r\nmuch")
            peer.socket.shutdown(socket.SHUT_WR)

        server = self.server(script)
        for _ in range(10):
            peer = self.client()
            peer.send(request("POST", f"/to/{server.port}/", f"Content-Length: {3 * MB}"))
            sender = sending(peer, b"x" * (3 * MB))
            self.assertEqual(peer.read_response().body, b"much")
            sender.join()

    def test_nothing_follows_an_early_response(self):
        """The rest of a body is no request, although the response did not announce the end."""

        def script(_, peer):
            peer.read_until(b"\r\n\r\n")
            peer.read_exactly(1000)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nearl")
            peer.read_to_end()

        server = self.server(script)
        peer = self.client()
        peer.send(request("POST", f"/to/{server.port}/", "Content-Length: 5000", body=b"x" * 1000))
        self.assertEqual(peer.read_response().body, b"earl")
        send_quietly(peer, b"GET /respond HTTP/1.1\r\nHost: a\r\n\r\n" + b"x" * 3000)
        self.assertTrue(peer.ended())

    def test_response_while_the_request_goes_on(self):
        def script(_, peer):
            peer.read_until(b"\r\n\r\n")
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                size = peer.read_until(b"\r\n")
                piece = peer.read_exactly(int(size, 16) + 2)
                peer.send(size + piece)
                if size == b"0\r\n":
                    return

        server = self.server(script)
        peer = self.client()
        peer.send(request("POST", f"/to/{server.port}/", "Transfer-Encoding: chunked"))
        peer.read_until(b"\r\n\r\n")
        for i in range(20):
            peer.send(b"5\r\nping%d\r\n" % (i % 10))
            self.assertEqual(peer.read_exactly(10), b"5\r\nping%d\r\n" % (i % 10))
        peer.send(b"0\r\n\r\n")
        self.assertEqual(peer.read_exactly(5), b"0\r\n\r\n")


if __name__ == "__main__":
    unittest.main()
