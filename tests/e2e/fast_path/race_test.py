"""Threads of one client that write heads, bodies and pieces to one connection at once."""
import unittest

from world import LONG, Case, attack

SECONDS = 450 if LONG else 8
SENDS = 10_000_000 if LONG else 20_000


class Race(Case):
    def test_no_server_sees_what_was_not_decided(self):
        sends = answers = 0
        before = self.world.fast_path()
        for clients in (1, 4, 16):
            found = attack("race", clients, SECONDS / 3)
            self.assertEqual((found["wrong"], found["first"]), (0, ""))
            sends += found["sends"]
            answers += found["answers"]
        seen = self.world.expect_checked(self)
        after = self.world.fast_path()
        fast = after["requests"] - before["requests"] if after else 0
        print(f"{sends} writes of two and three threads at once, {answers} answers, {fast} requests decided in the kernel, "
              f"{seen['requests']} requests seen by servers, {seen['violations']} not allowed", flush=True)
        self.assertGreater(sends, SENDS)
        if after:
            # A part of the writes is made of whole requests: enough of them meet the fast path.
            self.assertGreater(fast, answers // 10)


if __name__ == "__main__":
    unittest.main()
