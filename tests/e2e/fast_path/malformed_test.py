"""Heads that are malformed or ambiguous, on connections whose requests the kernel decides: the documented refusal, and no
server sees a byte of them."""
import unittest

import heads
from wire import Client, Ended, expect_answer, get
from world import Case

LEAST = 271


class Malformed(Case):
    def warm(self, client):
        for i in range(2):
            expect_answer(self, client.get(f"/v1/echo/warm{i}"), f"/v1/echo/warm{i}", "v1")

    def requests_seen(self):
        return self.world.servers.statistics()["requests"]

    def expect_refusal(self, client, name, status):
        try:
            response = client.read_response()
        except Ended as end:
            raise AssertionError(f"{name}: {end}") from end
        self.assertEqual(response.status, status, name)
        self.assertIn(response.x_heddle_rule, ("mesh/malformed", "mesh/path"), name)
        self.assertTrue(client.ended(), name)

    def run_refused(self, send, answered=0):
        """Each refused head on a connection of its own, and behind it a request that must not be taken for one."""
        count, before = 0, self.requests_seen()
        for name, text, status in heads.refused():
            with self.subTest(head=name), Client() as client:
                self.warm(client)
                send(client, text.encode("latin-1") + b"\r\n\r\n" + get("/v1/echo/behind"))
                for _ in range(answered):
                    expect_answer(self, client.read_response(), "/v1/echo/front", "v1")
                # Of chunks, the head is allowed; what follows is looked at when it comes.
                self.expect_refusal(client, name, status)
            count += 1
        self.assertGreaterEqual(count, LEAST)
        return count, self.requests_seen() - before

    def test_in_one_write(self):
        count, seen = self.run_refused(lambda client, data: client.send(data))
        print(f"{count} malformed or ambiguous heads", flush=True)
        self.assertEqual(seen, 2 * count)

    def test_behind_a_good_one_in_one_write(self):
        count, seen = self.run_refused(lambda client, data: client.send(get("/v1/echo/front") + data), 1)
        self.assertEqual(seen, 3 * count)

    def test_in_two_writes(self):
        count, seen = self.run_refused(lambda client, data: client.send_in_pieces(data, [len(data) * 2 // 5]))
        self.assertEqual(seen, 2 * count)

    def test_odd_and_allowed(self):
        for name, text in heads.odd():
            data = text.encode("latin-1")
            for cut in (len(data), len(data) // 2):
                with self.subTest(head=name, cut=cut), Client() as client:
                    self.warm(client)
                    client.send_in_pieces(data, [cut])
                    response = client.read_response()
                    self.assertEqual((response.status, response.x_endpoint), (200, "v1"))

    def test_denied_in_every_spelling(self):
        """`x-deny` in any case and place, beside much else; 403, and no server sees it."""
        before = self.requests_seen()
        for spelled in ("x-deny: 1", "X-DENY:", "X-Deny:\t \t1", "A: b\r\nx-deny: 1", "x-den: 1\r\nx-deny: 1\r\nx-denyy: 1",
                        "X-Fill: " + "f" * 9000 + "\r\nx-deny: 1", "\r\n".join(f"X-{i}: {i}" for i in range(150)) + "\r\nX-dEnY: 1"):
            for method in ("GET", "HEAD", "DELETE"):
                with self.subTest(field=spelled[:30], method=method), Client() as client:
                    self.warm(client)
                    response = client.ask(method, "/v1/echo/x", *spelled.split("\r\n"))
                    self.assertEqual((response.status, response.x_heddle_rule), (403, "access echo/header"))
                    self.warm(client)
        self.assertEqual(self.requests_seen() - before, 7 * 3 * 4)


if __name__ == "__main__":
    unittest.main()
