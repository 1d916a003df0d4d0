"""What is decided, and what the mesh answers itself."""
import socket
import threading
import unittest

from support import MB, TIMEOUT, Harness, Peer, Server, Traffic, echo, get, request, sending


class Decisions(Traffic):
    def test_answers_of_the_mesh(self):
        for path, status, rule, body in (
                ("/respond", 200, "route echo/2", b"hello\n"),
                ("/deny", 403, "access echo/default", b"`access echo/default`"),
                ("/unhealthy", 503, "service echo/unhealthy", b""),
                ("/refuse", 400, "mesh/path", b"`mesh/path`")):
            response = self.ask(get(path))
            self.assertEqual(response.status, status)
            self.assertEqual(response.field("x-heddle-rule"), rule)
            self.assertIn(body, response.body)

    def test_a_type_and_a_location(self):
        response = self.ask(get("/json"))
        self.assertEqual((response.status, response.field("content-type"), response.body), (200, "application/json", b"{}"))
        self.assertEqual(self.ask(get("/respond")).field("content-type"), "text/plain; charset=utf-8")
        response = self.ask(get("/redirect/x?q"))
        self.assertEqual((response.status, response.body), (308, b""))
        self.assertEqual(response.field("location"), "https://echo/there/x?q")
        self.assertEqual(response.field("content-length"), "0")

    def test_a_location_longer_than_any_buffer(self):
        # The whole of the head is in it, and of what the policy says.
        target, host = "/redirect/" + "x" * 16000, "h" * 48000
        peer = self.client()
        for _ in range(2):
            peer.send(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            response = peer.read_response()
            self.assertEqual(response.status, 308)
            self.assertEqual(response.field("location"), f"https://{host}/there/{'x' * 16000}")

    def test_a_redirect_of_a_request_with_a_body(self):
        peer = self.client()
        peer.send(request("POST", "/redirect", "Content-Length: 5") + b"hello" + get("/respond"))
        self.assertEqual(peer.read_response().field("location"), "https://echo/there")
        self.assertEqual(peer.read_response().body, b"hello\n")

    def test_keep_alive_after_an_answer_but_not_after_a_refusal(self):
        peer = self.client()
        for path in ("/respond", "/deny", "/unhealthy", "/respond"):
            peer.send(get(path))
            self.assertIsNone(peer.read_response().field("connection"))
        peer.send(get("/refuse"))
        self.assertEqual(peer.read_response().field("connection"), "close")
        self.assertTrue(peer.ended())

    def test_nothing_goes_in_clear_where_a_tunnel_leads(self):
        server = self.server(echo)
        self.assertEqual(self.ask(get(f"/to/{server.port}/")).status, 200)
        self.harness.say("mtls")
        try:
            for _ in range(3):
                response = self.ask(get(f"/to/{server.port}/secret"))
                self.assertEqual((response.status, response.field("x-heddle-rule")), (503, "service echo/unhealthy"))
        finally:
            self.harness.say("plaintext")
        self.assertEqual(self.ask(get(f"/to/{server.port}/")).status, 200)

    def test_outside_closes(self):
        peer = self.client()
        peer.send(get("/outside"))
        self.assertTrue(peer.ended())

    def test_nobody_of_the_mesh_is_closed(self):
        self.harness.say("unknown")
        try:
            peer = self.client()
            try:
                peer.send(get("/respond"))
                self.assertTrue(peer.ended())
            except ConnectionError:
                pass
        finally:
            self.harness.say("known")

    def test_a_failing_decision_forwards_nothing(self):
        server = self.server(echo)
        self.harness.say("fail")
        try:
            response = self.ask(get(f"/to/{server.port}/"))
            self.assertEqual(response.status, 503)
            self.assertEqual(response.field("connection"), "close")
        finally:
            self.harness.say("work")
        self.assertEqual(server.accepted, 0)

    def test_the_next_request_of_an_open_connection_meets_the_new_policy(self):
        server = self.server(echo)
        peer = self.client()
        peer.send(get(f"/to/{server.port}/"))
        self.assertEqual(peer.read_response().status, 200)
        self.harness.say("deny")
        try:
            peer.send(get(f"/to/{server.port}/"))
            self.assertEqual(peer.read_response().status, 403)
        finally:
            self.harness.say("allow")
        peer.send(get(f"/to/{server.port}/"))
        self.assertEqual(peer.read_response().status, 200)

    def test_a_body_longer_than_any_buffer(self):
        for head in (get("/big"), get("/big", "Connection: close")):
            response = self.ask(head)
            self.assertEqual(response.body, b"b" * 300_000)

    def test_head_of_an_answer(self):
        peer = self.client()
        peer.send(request("HEAD", "/respond") + get("/respond"))
        response = peer.read_response("HEAD")
        self.assertEqual(response.field("content-length"), "6")
        self.assertEqual(peer.read_response().body, b"hello\n")

    def test_denied_with_a_body(self):
        peer = self.client()
        peer.send(request("POST", "/deny", "Content-Length: 5", body=b"hello"))
        self.assertIsNone(peer.read_response().field("connection"))
        peer.send(request("POST", "/deny", "Transfer-Encoding: chunked", body=b"2\r\nab\r\n0\r\n\r\n") + get("/respond"))
        self.assertEqual(peer.read_response().status, 403)
        self.assertEqual(peer.read_response().status, 200)

    def test_denied_before_its_body_has_come(self):
        """A body is never whole by right: how many pieces come at once is the network's business. The connection goes on."""
        peer = self.client()
        for size in (1, 9000, 65536):
            peer.send(request("POST", "/deny", f"Content-Length: {size}", body=b"x" * (size // 3)))
            response = peer.read_response()
            self.assertEqual((response.status, response.field("connection")), (403, None))
            body = b"y" * (size - size // 3)
            for begin in range(0, len(body), 30000):
                peer.send(body[begin:begin + 30000])
            peer.send(get("/respond") + get("/deny"))
            self.assertEqual(peer.read_response().status, 200)
            self.assertEqual(peer.read_response().status, 403)
        peer.send(request("POST", "/deny", "Content-Length: 70000", body=b"x"))
        self.assertEqual(peer.read_response().field("connection"), "close")

    def test_denied_and_gone_in_its_body(self):
        peer = self.client()
        peer.send(request("POST", "/deny", "Content-Length: 100", body=b"x"))
        self.assertEqual(peer.read_response().status, 403)
        peer.socket.shutdown(socket.SHUT_WR)
        self.assertTrue(peer.ended())

    def test_denied_while_a_body_is_under_way(self):
        peer = self.client()
        peer.send(request("POST", "/deny", f"Content-Length: {4 * MB}"))
        sender = sending(peer, b"x" * (4 * MB))
        response = peer.read_response()
        self.assertEqual((response.status, response.field("connection")), (403, "close"))
        sender.join()

    def test_events(self):
        server = self.server(echo)
        harness = Harness()
        peer = Peer(socket.create_connection(("127.0.0.1", harness.port), TIMEOUT))
        first = get(f"/to/{server.port}/")
        peer.send(first)
        size = len(peer.read_response().head) + len(first)
        second = request("POST", "/deny", "Content-Length: 3", body=b"abc")
        peer.send(second)
        denied = peer.read_response()
        peer.socket.close()
        events = harness.wait_events(2)
        self.assertEqual(harness.close(), 0)
        self.assertEqual(events[0], (200, 1, 0, len(first), size))
        self.assertEqual(events[1], (403, 3, 0, len(second), len(denied.head) + len(denied.body)))

    def test_one_call_for_the_heads_of_a_round(self):
        before = self.harness.stats()
        peers = [self.client() for _ in range(64)]
        self.harness.wait_stats(lambda s: s["connections"] >= before["connections"] + 64)
        # The harness is stopped while the heads arrive, so that all are ready in one round.
        self.harness.stop()
        for peer in peers:
            peer.send(get("/respond"))
        before_calls = before["calls"]
        self.harness.go_on()
        for peer in peers:
            self.assertEqual(peer.read_response().status, 200)
        after = self.harness.stats()
        self.assertEqual(after["requests"] - before["requests"], 64)
        self.assertLessEqual(after["calls"] - before_calls, 4)  # events of before and after may take calls of their own
        self.assertEqual(after["most"], 64)


class Draining(unittest.TestCase):
    def test_a_connection_ends_with_the_response_that_runs(self):
        """Its head is under way already, and said nothing of an end."""
        harness = Harness()
        release = threading.Event()

        def script(_, peer):
            peer.read_request()
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok")
            release.wait(TIMEOUT)
            peer.send(b"ok")

        server = Server(script)
        peer = Peer(socket.create_connection(("127.0.0.1", harness.port), TIMEOUT))
        peer.send(get(f"/to/{server.port}/"))
        peer.read_until(b"\r\n\r\n")
        harness.say("drain")
        release.set()
        self.assertEqual(peer.read_exactly(4), b"okok")
        self.assertTrue(peer.ended())
        peer.socket.close()
        server.close()
        self.assertEqual(harness.process.wait(TIMEOUT), 0)
        harness.process.stdin.close()
        harness.process.stdout.close()

    def test_finishes_what_runs(self):
        harness = Harness()
        release = threading.Event()
        reached = threading.Event()

        def script(_, peer):
            peer.read_request()
            reached.set()
            release.wait(TIMEOUT)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        server = Server(script)
        idle = Peer(socket.create_connection(("127.0.0.1", harness.port), TIMEOUT))
        idle.send(get("/respond"))
        idle.read_response()
        busy = Peer(socket.create_connection(("127.0.0.1", harness.port), TIMEOUT))
        busy.send(get(f"/to/{server.port}/"))
        self.assertTrue(reached.wait(TIMEOUT))
        harness.say("drain")
        self.assertTrue(idle.ended())
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", harness.port), TIMEOUT)
        release.set()
        response = busy.read_response()
        self.assertEqual((response.body, response.field("connection")), (b"ok", "close"))
        busy.socket.close()
        idle.socket.close()
        server.close()
        self.assertEqual(harness.process.wait(TIMEOUT), 0)
        harness.process.stdin.close()
        harness.process.stdout.close()


if __name__ == "__main__":
    unittest.main()
