"""A server closes a connection that the handler still takes for a good one: the redirect to it fails, and the request is the
handler's. No count, no charge and no byte is left of the try."""
import os
import signal
import time
import unittest

from wire import Client, expect_answer, get
from world import TIMEOUT, Case

WORKERS = 1


class Closing(Case):
    world_options = {"workers": WORKERS}

    def warm(self, client, name):
        for i in range(5):
            expect_answer(self, client.get(f"/v1/echo/{name}{i}"), f"/v1/echo/{name}{i}", "v1")

    def decisions(self):
        return {rule["id"]: rule["decisions"] for rule in self.world.status_now()["rules"] if rule["id"] in ("access echo/3", "route echo/2")}

    def wait_for(self, name, count):
        end = time.monotonic() + TIMEOUT
        while (found := self.world.fast_path())[name] < count:
            self.assertLess(time.monotonic(), end, found)
            time.sleep(0.01)

    def test_a_redirect_that_fails(self):
        worker, = self.world.workers()
        for number in range(20):
            with Client() as client:
                self.warm(client, number)
                before, decided = self.world.fast_path(), self.decisions()
                # The worker cannot see the end meanwhile.
                os.kill(worker, signal.SIGSTOP)
                try:
                    self.world.servers.say("end v1 close")
                    client.send(get(f"/v1/echo/after-{number}"))
                    self.wait_for("failed", before["failed"] + 1)
                finally:
                    os.kill(worker, signal.SIGCONT)
                expect_answer(self, client.read_response(), f"/v1/echo/after-{number}", "v1")
                after = self.world.fast_path()
                self.assertEqual(after["requests"], before["requests"])
                # Decided twice, counted once.
                self.assertEqual(sum(self.decisions().values()), sum(decided.values()) + 2)
                self.warm(client, f"{number}-again")

    def test_a_reset_that_nobody_has_seen(self):
        """The kernel has ended the server's socket: the link is dead for the programs, before the handler knows."""
        worker, = self.world.workers()
        for number in range(20):
            with Client() as client:
                self.warm(client, number)
                before = self.world.fast_path()
                os.kill(worker, signal.SIGSTOP)
                try:
                    self.world.servers.say("end v1 reset")
                    client.send(get(f"/v1/echo/after-{number}"))
                    self.wait_for("no_link", before["no_link"] + 1)
                finally:
                    os.kill(worker, signal.SIGCONT)
                expect_answer(self, client.read_response(), f"/v1/echo/after-{number}", "v1")
                self.assertEqual(self.world.fast_path()["requests"], before["requests"])
                self.warm(client, f"{number}-again")


if __name__ == "__main__":
    unittest.main()
