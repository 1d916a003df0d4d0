"""What a client may do wrong."""
import socket
import threading
import unittest

from support import TIMEOUT, Traffic, answering, echo, get, request, resets


class Clients(Traffic):
    """What a client may do wrong, and what must be left of it: nothing."""

    def gone(self):
        self.harness.wait_stats(lambda s: s["connections"] == 0 and s["buffers"] == 0)

    def test_abort_while_the_server_thinks(self):
        thinking = threading.Event()
        ended = threading.Event()

        def script(_, peer):
            peer.read_request()
            thinking.set()
            if peer.read_to_end() == b"":
                ended.set()

        server = self.server(script)
        peer = self.client()
        peer.send(get(f"/to/{server.port}/"))
        self.assertTrue(thinking.wait(TIMEOUT))
        resets(peer)
        self.assertTrue(ended.wait(TIMEOUT), "the server is told")
        self.gone()
        # The flag says that it was the client.
        self.assertIn((1, 1), [(event[1], event[2]) for event in self.harness.wait_events(1)])

    def test_abort_in_a_body(self):
        for abort in (lambda peer: peer.socket.shutdown(socket.SHUT_WR), resets):
            begun = threading.Event()
            ended = threading.Event()

            def script(_, peer):
                peer.read_until(b"\r\n\r\nsome")
                begun.set()
                try:
                    peer.read_exactly(1000)
                except (EOFError, ConnectionError):
                    ended.set()

            server = self.server(script)
            peer = self.client()
            peer.send(request("POST", f"/to/{server.port}/", "Content-Length: 1000", body=b"some"))
            self.assertTrue(begun.wait(TIMEOUT))
            abort(peer)
            self.assertTrue(ended.wait(TIMEOUT))
        self.gone()

    def test_abort_in_a_response(self):
        server = self.server(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n" + b"x" * 50_000_000))
        peer = self.client()
        peer.send(get(f"/to/{server.port}/"))
        peer.read_until(b"\r\n\r\n")
        resets(peer)
        self.gone()

    def test_many_at_a_time(self):
        server = self.server(echo)
        failures = []

        def client(number):
            try:
                peer = self.client()
                for i in range(20):
                    body = b"%d" % number * (i * 37)
                    each = request("POST", f"/to/{server.port}/{i}", f"Content-Length: {len(body)}", body=body)
                    peer.send(each)
                    if peer.read_response().body != each:
                        failures.append(number)
                peer.socket.close()
            except Exception as failure:
                failures.append(failure)

        threads = [threading.Thread(target=client, args=(n,)) for n in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.gone()


if __name__ == "__main__":
    unittest.main()
