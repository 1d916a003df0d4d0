"""A server that leaves requests unread may not see what comes past the handler: its requests take the slow path from then on,
and nobody else's do."""
import signal
import time
import unittest

from wire import Client, expect_answer, get
from world import TIMEOUT, Case, Excuse, first_requests


class Watchdog(Case):
    def ask(self, client, target, endpoint):
        expect_answer(self, client.get(target), target, endpoint)

    def wait_until_slow(self):
        end = time.monotonic() + TIMEOUT
        while not (found := self.world.fast_path())["slow_endpoints"]:
            self.assertLess(time.monotonic(), end, "the watchdog has seen nothing")
            time.sleep(0.05)
        return found["slow_endpoints"]

    def test_a_server_that_stands_still(self):
        slow = [Excuse("stalled", "the server left a request unread", 300)]
        with self.world.on_fast_path(self, *slow, *first_requests(3, 2)), Client() as stuck, Client() as other, Client() as third:
            for i in range(100):
                self.ask(stuck, f"/v1/echo/a{i}", "v1")
                self.ask(other, f"/v1/echo/b{i}", "v1")
                self.ask(third, f"/v2/echo/c{i}", "v2")
            self.assertEqual(self.world.fast_path()["slow_endpoints"], 0)
            standing = self.world.servers.of["v1"].process
            standing.send_signal(signal.SIGSTOP)
            try:
                stuck.send(get("/v1/echo/stuck"))
                self.assertEqual(self.wait_until_slow(), 1)
            finally:
                standing.send_signal(signal.SIGCONT)
            expect_answer(self, stuck.read_response(), "/v1/echo/stuck", "v1")

            before = self.world.fast_path()
            for i in range(100):
                self.ask(stuck, f"/v1/echo/d{i}", "v1")
                self.ask(other, f"/v1/echo/e{i}", "v1")
            after = self.world.fast_path()
            self.assertEqual(after["stalled"] - before["stalled"], 200)
            self.assertEqual(after["requests"], before["requests"])
            for i in range(500):
                self.ask(third, f"/v2/echo/f{i}", "v2")
            self.assertEqual(self.world.fast_path()["stalled"], after["stalled"])


if __name__ == "__main__":
    unittest.main()
