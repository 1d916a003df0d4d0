"""A server closes a connection that the handler still takes for a good one: the redirect to it fails, and the request is the
handler's. No count, no charge and no byte is left of the try."""
import os
import signal
import unittest

from wire import Client, expect_answer, get
from world import Case, eventually

WORKERS = 1


class Closing(Case):
    world_options = {"workers": WORKERS}

    def warm(self, client, name):
        for i in range(5):
            expect_answer(self, client.get(f"/v1/echo/{name}{i}"), f"/v1/echo/{name}{i}", "v1")

    def decisions(self):
        return {rule["id"]: rule["decisions"] for rule in self.world.status_now()["rules"] if rule["id"] in ("access echo/3", "route echo/2")}

    def ask_behind_an_end(self, number, client, how, sign):
        """The server ends its connection in this way while the worker sleeps, and the client asks; `sign` counts why it was passed."""
        worker, = self.world.workers()
        self.warm(client, number)
        before, decided = self.world.fast_path(), self.decisions()
        os.kill(worker, signal.SIGSTOP)
        try:
            self.world.servers.say(f"end v1 {how}")
            client.send(get(f"/v1/echo/after-{number}"))
            eventually(self, lambda: self.world.fast_path()[sign] > before[sign], sign)
        finally:
            os.kill(worker, signal.SIGCONT)
        expect_answer(self, client.read_response(), f"/v1/echo/after-{number}", "v1")
        self.assertEqual(self.world.fast_path()["requests"], before["requests"])
        # Decided twice, counted once.
        self.assertEqual(sum(self.decisions().values()), sum(decided.values()) + 2)
        self.warm(client, f"{number}-again")

    def test_a_redirect_that_fails(self):
        for number in range(20):
            with Client() as client:
                self.ask_behind_an_end(number, client, "close", "failed")

    def test_a_reset_that_nobody_has_seen(self):
        """The kernel has ended the server's socket: the link is dead for the programs, before the handler knows."""
        for number in range(20):
            with Client() as client:
                self.ask_behind_an_end(number, client, "reset", "no_link")


if __name__ == "__main__":
    unittest.main()
