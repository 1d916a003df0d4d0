"""The route's `timeout` and requests that fail: 504, 503 and 502 in order, and the connection goes on."""
import time
import unittest

from wire import Client, Ended, expect_answer, get
from world import ROUTE, Case, Excuse, first_requests

TIMEOUT_MS = 300
# Above what the policy says there is only what the machine needs: it is looked for every 10 ms.
SLACK = 0.4


class Timeouts(Case):
    world_options = {"route": ROUTE.replace("route echo {", f"route echo {{\n  timeout {TIMEOUT_MS}ms")}

    def good(self, client, name, endpoint="v1"):
        target = f"/{endpoint}/echo/{name}"
        expect_answer(self, client.get(target), target, endpoint)

    def expect_timeout(self, client, begin):
        response = client.read_response()
        seconds = time.monotonic() - begin
        self.assertEqual((response.status, response.x_heddle_rule), (504, "service echo/timeout"))
        self.assertGreater(seconds, TIMEOUT_MS / 1000 - 0.02)
        self.assertLess(seconds, TIMEOUT_MS / 1000 + SLACK)

    def test_a_server_that_thinks_too_long(self):
        """Of a first request, of a fast one, and again; the late answer is seen by nobody."""
        closed = Excuse("no_link", "a timeout ends the connection to the server", 8)
        with self.world.on_fast_path(self, closed, *first_requests(1, 2)), Client() as client:
            for number in range(8):
                for i in range(number % 4):
                    self.good(client, i)
                begin = time.monotonic()
                client.send(get(f"/v1/slow/{TIMEOUT_MS + 150}/late"))
                self.expect_timeout(client, begin)
                for i in range(20):
                    self.good(client, i, ("v1", "v2")[i % 2])
        self.world.servers.wait(lambda found: found["held"] == 0, "late answers")

    def test_a_server_that_does_not_read(self):
        with Client() as client, Client() as other:
            for number in range(4):
                for i in range(3):
                    self.good(client, i)
                    self.good(other, i, "v2")
                self.world.servers.say("mode v1 deaf")
                begin = time.monotonic()
                client.send(get("/v1/echo/unread"))
                self.expect_timeout(client, begin)
                self.good(other, "meanwhile", "v2")
                self.world.servers.say("mode v1 normal")
            self.good(client, "again")

    def test_in_order(self):
        """What was sent behind it is answered behind it."""
        with Client() as client:
            for number in range(4):
                self.good(client, "a")
                self.good(client, "b")
                begin = time.monotonic()
                client.send(get(f"/v1/held/{number}") + get("/v2/echo/behind"))
                client.send(get("/v1/echo/last"))
                self.expect_timeout(client, begin)
                expect_answer(self, client.read_response(), "/v2/echo/behind", "v2")
                expect_answer(self, client.read_response(), "/v1/echo/last", "v1")

    def test_in_the_middle_of_an_answer(self):
        """It is cut, visibly, when the time is over."""
        for number in range(6):
            with Client() as client:
                for i in range(number % 3):
                    self.good(client, i)
                begin = time.monotonic()
                client.send(get(("/v1/drip/20/100/100000/x", "/v1/drip/50/30000/3000000/x")[number % 2]))
                with self.assertRaises(Ended) as cut:
                    client.read_response()
                self.assertIn(cut.exception.how, ("reset", "end"))
                self.assertLess(time.monotonic() - begin, TIMEOUT_MS / 1000 + SLACK)

    def test_in_time(self):
        with Client() as client:
            for number in range(5):
                target = f"/v1/slow/{TIMEOUT_MS * 2 // 3}/{number}"
                expect_answer(self, client.get(target), target, "v1")
                self.good(client, number)

    def test_many_at_once(self):
        clients = [Client() for _ in range(50)]
        for client in clients:
            self.good(client, "a")
            self.good(client, "b")
        begin = time.monotonic()
        for client in clients:
            client.send(get("/v1/held/x"))
        for client in clients:
            self.assertEqual(client.read_response().status, 504)
        self.assertLess(time.monotonic() - begin, TIMEOUT_MS / 1000 + 3 * SLACK)
        for client in clients:
            self.good(client, "again")
            client.close()

    def test_nobody_listens(self):
        with Client() as client:
            for i in range(3):
                self.good(client, i)
            self.world.servers.kill()
            for i in range(3):
                self.assertIn(client.get("/v1/echo/x").status, (502, 503))
            self.world.start_servers()
            for i in range(3):
                self.good(client, i)


if __name__ == "__main__":
    unittest.main()
