"""Requests on their way to a server and back."""
import socket
import threading
import unittest

from support import Traffic, answering, echo, get, request


class Forwarding(Traffic):
    def test_passes_on_as_received(self):
        server = self.server(echo)
        head = f"GET /to/{server.port}/a?b=%20c HTTP/1.1\r\nhOsT: echo\r\nX-Odd:  a  b \r\nX-Odd: 2\r\n\r\n".encode()
        response = self.ask(head)
        self.assertEqual(response.body, head)
        self.assertIsNone(response.field("x-heddle-rule"))

    def test_ipv6(self):
        server = self.server(echo, family=socket.AF_INET6)
        self.assertEqual(self.ask(get(f"/to6/{server.port}/")).status, 200)

    def test_hop_by_hop_fields_end_here(self):
        server = self.server(echo)
        response = self.ask(get(f"/to/{server.port}/", "Connection: keep-alive, X-Hop, Upgrade", "Keep-Alive: 5",
                                "X-Hop: 1", "TE: trailers", "Proxy-Connection: x", "Upgrade: h2c", "X-Stays: 1"))
        self.assertEqual(response.body, get(f"/to/{server.port}/", "X-Stays: 1"))

    def test_absolute_form(self):
        server = self.server(echo)
        for target, path in ((f"http://echo/to/{server.port}/x", f"/to/{server.port}/x"),):
            self.assertEqual(self.ask(get(target)).body, get(path))

    def test_response_fields(self):
        server = self.server(answering(b"HTTP/1.1 200 Fine\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\nA: b\r\n"
                                       b"Keep-Alive: 1\r\nx-heddle-rule: fake\r\nContent-Length: 2\r\n\r\nok"))
        response = self.ask(get(f"/to/{server.port}/"))
        self.assertEqual(response.head, b"HTTP/1.1 200 Fine\r\nA: b\r\nContent-Length: 2\r\n\r\n")

    def test_keep_alive_on_both_sides(self):
        server = self.server(echo)
        peer = self.client()
        for _ in range(50):
            peer.send(get(f"/to/{server.port}/"))
            self.assertEqual(peer.read_response().status, 200)
        self.assertEqual(server.accepted, 1)
        other = self.client()
        other.send(get(f"/to/{server.port}/"))
        self.assertEqual(other.read_response().status, 200)
        self.assertEqual(server.accepted, 1)

    def test_close_from_the_client_keeps_the_server(self):
        server = self.server(echo)
        for _ in range(5):
            peer = self.client()
            peer.send(get(f"/to/{server.port}/", "Connection: close"))
            self.assertEqual(peer.read_response().field("connection"), "close")
            self.assertTrue(peer.ended())
        self.assertEqual(server.accepted, 1)

    def test_close_from_the_server_keeps_the_client(self):
        server = self.server(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"))
        peer = self.client()
        for _ in range(5):
            peer.send(get(f"/to/{server.port}/"))
            response = peer.read_response()
            self.assertEqual((response.body, response.field("connection")), (b"ok", None))
        self.assertEqual(server.accepted, 5)

    def test_a_server_that_closes_without_a_word(self):
        server = self.server(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
        peer = self.client()
        for i in range(20):
            peer.send(get(f"/to/{server.port}/{i}"))
            self.assertEqual(peer.read_response().body, b"ok")

    def test_pipelined_in_order(self):
        server = self.server(echo)
        peer = self.client()
        paths = [f"/to/{server.port}/{i}" if i % 3 else "/respond" for i in range(60)]
        peer.send(b"".join(get(path) for path in paths))
        for path in paths:
            response = peer.read_response()
            self.assertEqual(response.body, b"hello\n" if path == "/respond" else get(path))

    def test_pipelined_with_bodies(self):
        server = self.server(echo)
        peer = self.client()
        requests = [request("POST", f"/to/{server.port}/{i}", f"Content-Length: {i * 700}", body=b"z" * (i * 700))
                    for i in range(1, 40)]
        sender = threading.Thread(target=peer.send, args=(b"".join(requests),))
        sender.start()
        for each in requests:
            self.assertEqual(peer.read_response().body, each)
        sender.join()

    def test_half_close(self):
        server = self.server(echo)
        peer = self.client()
        peer.send(get(f"/to/{server.port}/"))
        peer.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(peer.read_response().status, 200)
        self.assertTrue(peer.ended())

    def test_half_close_behind_pipelined_requests(self):
        server = self.server(echo)
        peer = self.client()
        peer.send(get(f"/to/{server.port}/1") + get("/respond") + get(f"/to/{server.port}/2"))
        peer.socket.shutdown(socket.SHUT_WR)
        for _ in range(3):
            self.assertEqual(peer.read_response().status, 200)
        self.assertTrue(peer.ended())

    def test_no_endpoint_listens(self):
        unused = socket.socket()
        unused.bind(("127.0.0.1", 0))
        peer = self.client()
        peer.send(request("POST", f"/to/{unused.getsockname()[1]}/", "Content-Length: 2", body=b"ab"))
        response = peer.read_response()
        self.assertEqual((response.status, response.field("x-heddle-rule")), (503, "service echo/unhealthy"))
        peer.send(get("/respond"))
        self.assertEqual(peer.read_response().status, 200)
        unused.close()

    def test_every_split(self):
        """However a request comes in pieces, it is decided on and passed on the same."""
        server = self.server(echo)
        whole = request("POST", f"/to/{server.port}/x", "Transfer-Encoding: chunked", "Connection: a",
                        body=b"3;x\r\nabc\r\n0\r\nT: 1\r\n\r\n")
        passed = whole.replace(b"Connection: a\r\n", b"")
        peer = self.client()
        for split in range(1, len(whole)):
            peer.send(whole[:split])
            self.harness.stats()  # a round goes by
            peer.send(whole[split:])
            self.assertEqual(peer.read_response().body, passed.split(b"\r\n\r\n")[0] + b"\r\n\r\nabc")

    def test_one_byte_at_a_time(self):
        server = self.server(echo)
        peer = self.client()
        whole = get(f"/to/{server.port}/slow")
        for byte in whole:
            peer.send(bytes([byte]))
        self.assertEqual(peer.read_response().body, whole)


if __name__ == "__main__":
    unittest.main()
