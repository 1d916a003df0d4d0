"""Limits under load: 100,000 requests on 64 connections charge one account, wherever they are decided. python3 limits_test.py
fast|handler"""
import re
import subprocess
import sys
import time
import unittest

from wire import Client
from world import World

RATE, BURST = 1000, 2000
REQUESTS, CONNECTIONS = 100_000, 64
FAST = True

LIMITS = f"""
limit all on echo {{ when path under "/v1/echo/all" rate {RATE}/s burst {BURST} }}
limit each on echo {{ when path under "/v1/echo/each" rate 1/h burst 2 key header "x-user" }}
limit hour on echo {{ when path under "/v1/echo/each/slow" rate 1/h burst 1 }}
"""


class Limits(unittest.TestCase):
    def world(self, workers):
        world = World(extra=LIMITS, workers=workers)
        self.addCleanup(world.close)
        if not FAST:
            text = world.policy().replace("identity web }", "identity web fast_path off }")
            world.reload(world.build(text))
        return world

    def load(self, workers):
        world = self.world(workers)
        seen, fast = world.servers.statistics()["requests"], world.fast_path()["requests"]
        begin = time.monotonic()
        code, out, err = world.run("web", ["h2load", "--h1", "-n", str(REQUESTS), "-c", str(CONNECTIONS), "-t2",
                                           "http://10.96.7.1/v1/echo/all"])
        whole = time.monotonic() - begin
        text = out.decode()
        self.assertEqual(code, 0, text + err.decode())
        took, unit = re.search(r"finished in ([\d.]+)(m?s)", text).groups()
        took = float(took) / (1000 if unit == "ms" else 1)
        admitted, refused = map(int, re.search(r"status codes: (\d+) 2xx, \d+ 3xx, (\d+) 4xx", text).groups())
        self.assertEqual(admitted + refused, REQUESTS, text)
        self.assertEqual(world.servers.statistics()["requests"] - seen, admitted)
        in_kernel = world.fast_path()["requests"] - fast
        most, least = RATE * whole + BURST, 0.99 * (min(took, whole) * RATE + BURST)
        print(f"{workers} workers: {admitted} of {REQUESTS} admitted in {took:.2f} s, {admitted / (RATE * took + BURST):.4f} of rate and burst; "
              f"{in_kernel} of them in the kernel", flush=True)
        self.assertLessEqual(admitted, most)
        self.assertGreaterEqual(admitted, least)
        # Whoever was refused comes to the kernel again with its next request.
        self.assertEqual(in_kernel > 0, FAST)
        if FAST:
            self.assertGreater(in_kernel, admitted // 2)
        world.expect_checked(self)

    def test_one_worker(self):
        self.load(1)

    def test_three_workers(self):
        self.load(3)

    def test_what_the_client_sees(self):
        world = self.world(2)
        with Client() as client, Client() as other:
            for each in (client, other):
                self.assertEqual(each.get("/v1/echo/each", "X-User: a").status, 200)
            for each in (other, client):
                response = each.get("/v1/echo/each", "X-User: a")
                self.assertEqual((response.status, response.x_heddle_rule, response.retry_after), (429, "limit echo/each", "3600"))
                self.assertIn(b"limit echo/each", response.body)
            # The connection goes on, other keys have accounts of their own, and so has no key.
            self.assertEqual(client.get("/v1/echo/each", "X-User: b").status, 200)
            self.assertEqual(client.get("/v1/echo/each").status, 200)
            # Of two that apply neither is charged when one refuses.
            self.assertEqual(client.get("/v1/echo/each/slow", "X-User: c").status, 200)
            for _ in range(3):
                self.assertEqual(client.get("/v1/echo/each/slow", "X-User: c").x_heddle_rule, "limit echo/hour")
            self.assertEqual(client.get("/v1/echo/each", "X-User: c").status, 200)
            self.assertEqual(client.get("/v1/echo/each", "X-User: c").status, 429)
            # A reload of the same limit forgets nothing.
            world.reload(world.build(world.policy().replace("identity web }", "identity web }" if FAST else "identity web fast_path off }")
                                     .replace("allow from web", "deny from foe\n  allow from web", 1)))
            self.assertEqual(client.get("/v1/echo/each", "X-User: a").status, 429)
        world.expect_checked(self)


if __name__ == "__main__":
    FAST = sys.argv.pop(1) == "fast"
    unittest.main()
