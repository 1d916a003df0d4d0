"""Many clients at once: more than there is room for on the fast path, and more than the servers may have connections."""
import unittest

from memory_test import MIB, Sleepers
from wire import Client, expect_answer
from world import LONG, Case, Excuse, attack, eventually, first_requests

OPEN = 10_000 if LONG else 2_000
FLOWS = 16_384  # HD_FLOWS_MAX
MORE_THAN_FLOWS = FLOWS + 600
ROUNDS = 10 if LONG else 4
CLIENTS, ENDPOINTS, MOST = (2_000, 20, 200) if LONG else (500, 20, 50)


class Crowd(Case):
    def expect_free(self):
        def free():
            found = self.world.fast_path()
            return found["flows"] == 0 and found["queued_bytes"] == 0

        eventually(self, free, "all flows are free, and nothing is counted as unread")


class Many(Crowd):
    # A worker has as many clients as it may have a third of its files; where 20,000 is the most, two are too few.
    world_options = {"workers": 4}

    def ask_all(self, count, rounds, *excuses):
        """Opens so many clients; each asks a few times, all staying open."""
        clients = Sleepers(count, "/v1/size/700")
        try:
            found = clients.say("wake")
            self.assertEqual((found["right"], found["first"]), (count, ""))
            with self.world.on_fast_path(self, *excuses):
                for _ in range(rounds):
                    found = clients.say("again")
                    self.assertEqual((found["right"], found["first"]), (count, ""))
                with Client() as other:
                    for i in range(200):
                        expect_answer(self, other.get(f"/v2/echo/{i}"), f"/v2/echo/{i}", "v2")
            return self.world.fast_path()
        finally:
            clients.close()

    def test_open_clients(self):
        found = self.ask_all(OPEN, ROUNDS, *first_requests(1, 2))
        print(f"{OPEN} open clients: {found['flows']} on the fast path, {found['links']} links, {found['queued_bytes'] / MIB:.1f} MiB counted", flush=True)
        self.assertGreaterEqual(found["flows"], OPEN)
        self.expect_free()

    def test_more_clients_than_places(self):
        """Those for whom there is no place are served by the handler; then there is room again."""
        before = self.world.fast_path()
        clients = Sleepers(MORE_THAN_FLOWS, "/v1/size/700")
        try:
            for word in ("wake", "again", "again"):
                answer = clients.say(word)
                self.assertEqual((answer["right"], answer["first"]), (MORE_THAN_FLOWS, ""))
            found = self.world.fast_path()
        finally:
            clients.close()
        print(f"{MORE_THAN_FLOWS} clients: {found['flows']} on the fast path, {found['not_enrolled'] - before['not_enrolled']} without a place; "
              f"{found['requests'] - before['requests']} requests decided in the kernel", flush=True)
        self.assertEqual(found["flows"], FLOWS)
        self.assertGreaterEqual(found["not_enrolled"] - before["not_enrolled"], MORE_THAN_FLOWS - FLOWS)
        self.expect_free()
        with self.world.on_fast_path(self, *first_requests(1, 2)), Client() as client:
            for i in range(300):
                expect_answer(self, client.get(f"/v1/echo/{i}"), f"/v1/echo/{i}", "v1")


class Bounded(Crowd):
    """`at_most` holds for the connections of fast path and handler together, and nobody is refused."""

    # In a process each, those that do not get to run would have all their connections in use, and lack links.
    world_options = {"apart": False, "endpoints": tuple(f"v{i}=127.0.0.1:0" for i in range(1, ENDPOINTS + 1)), "text": lambda world: world.policy(
        access="allow from web", route="route echo {\n  otherwise -> echo\n}").replace(
            "  transport plaintext\n", f"  transport plaintext\n  at_most {MOST} connections\n")}

    def test_many_clients_on_bounded_endpoints(self):
        attack("load", CLIENTS, 2, "balanced")  # links are opened one after the other
        shape = [Excuse("not_armed", "first request of a client", CLIENTS), Excuse("no_link", "while a client has no link", CLIENTS * ENDPOINTS),
                 Excuse("answered", "full")]
        with self.world.on_fast_path(self, *shape):
            found = attack("load", CLIENTS, 10 if LONG else 5, "balanced")
        seen = self.world.servers.statistics()
        print(f"{CLIENTS} clients on {ENDPOINTS} endpoints with at most {MOST} connections: {found['answers']} answers, slowest {found['slowest']} s, "
              f"{found['seen']}; most connections open at one endpoint: {seen['most_open']}", flush=True)
        self.assertEqual((found["wrong"], found["failed"], found["refused"], found["first"]), (0, 0, 0, ""))
        self.assertLessEqual({key.split()[0] for key in found["seen"]}, {"200", "204"})
        self.assertGreater(seen["most_open"], MOST // 4)  # it was looked at under load
        self.assertLessEqual(seen["most_open"], MOST)
        self.expect_free()


if __name__ == "__main__":
    unittest.main()
