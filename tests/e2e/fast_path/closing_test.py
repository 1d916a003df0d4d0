"""A server closes a connection that the handler still takes for a good one: the redirect to it fails, and the request is the
handler's. No count, no charge and no byte is left of the try."""
import os
import signal
import unittest

from wire import Client, expect_answer, get
from world import PASSED, Case, eventually
from support import stop

WORKERS = 1


class Closing(Case):
    world_options = {"workers": WORKERS}

    def warm(self, client, name):
        """Until the last request was decided in the kernel: the client is armed, and has a link."""
        def decided():
            before = self.world.fast_path()["requests"]
            for i in range(4):
                expect_answer(self, client.get(f"/v1/echo/{name}-{i}"), f"/v1/echo/{name}-{i}", "v1")
            return self.world.fast_path()["requests"] == before + 4

        eventually(self, decided, "requests decided in the kernel")

    def decisions(self):
        return {rule["id"]: rule["decisions"] for rule in self.world.status_now()["rules"] if rule["id"] in ("access echo/3", "route echo/2")}

    def passed_since(self, before):
        now = self.world.fast_path()
        return {reason: now[reason] - before[reason] for reason in PASSED}

    def ask_behind_an_end(self, number, client, how):
        """The server ends its connection in this way while the worker sleeps, and the client asks: why is it passed?"""
        worker, = self.world.workers()
        self.warm(client, number)
        before, decided = self.world.fast_path(), self.decisions()
        stop(worker)
        try:
            self.world.servers.say(f"end v1 {how}")
            client.send(get(f"/v1/echo/after-{number}"))
            eventually(self, lambda: any(self.passed_since(before).values()), "a request that is passed")
        finally:
            os.kill(worker, signal.SIGCONT)
        why = [reason for reason, count in self.passed_since(before).items() for _ in range(count)]
        expect_answer(self, client.read_response(), f"/v1/echo/after-{number}", "v1")
        self.assertEqual(self.world.fast_path()["requests"], before["requests"])
        # Decided twice, counted once.
        self.assertEqual(sum(self.decisions().values()), sum(decided.values()) + 2)
        self.warm(client, f"{number}-again")
        self.assertEqual(len(why), 1, why)
        return why[0]

    def test_a_redirect_that_fails(self):
        """The server's socket is no longer in the map, as it is closed. Where the worker's has acknowledged that at once, it is
        gone altogether, and with it the link."""
        why = []
        for number in range(20):
            with Client() as client:
                why.append(self.ask_behind_an_end(number, client, "close"))
        self.assertEqual(set(why) | {"failed", "no_link"}, {"failed", "no_link"})
        self.assertGreater(why.count("failed"), 15, why)

    def test_a_reset_that_nobody_has_seen(self):
        """The kernel has ended the server's socket: the link is dead for the programs, before the handler knows."""
        for number in range(20):
            with Client() as client:
                self.assertEqual(self.ask_behind_an_end(number, client, "reset"), "no_link")


if __name__ == "__main__":
    unittest.main()
