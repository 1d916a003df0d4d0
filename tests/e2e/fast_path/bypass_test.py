"""tests/vectors/bypass.json, by the fast path and by the handler: what is denied does not reach a server in any spelling, and
what is allowed reaches it as it was decided. Evaluator and syscall entry take the same file (tests/differential).

Runs in a network namespace of its own, whose loopback device has the addresses that clients come from.
"""
import ctypes
import json
import os
import pathlib
import re
import subprocess
import sys
import unittest

from wire import Client
from world import World

HERE = pathlib.Path(__file__).parent
FOLDER = HERE.parent.parent / "vectors"
TABLE = json.loads((FOLDER / "bypass.json").read_text())
SERVICES = {"plain": 80, "merging": 81, "decoding": 82, "keeping": 83, "windows": 84}
LEAST = 408
LEAST_IN_KERNEL = 88


def head_of(row):
    """`<9>` is nine letters."""
    lines = [row.get("line", "GET /x HTTP/1.1")]
    if row.get("host", "") is not None:
        lines.append(f"Host: {row.get('host', 'shop.example')}")
    text = "\r\n".join([*lines, *row.get("fields", []), "", ""])
    return re.sub(r"<(\d+)>", lambda number: "a" * int(number[1]), text).encode("latin-1")


def body_of(row):
    return row.get("body", "").encode("latin-1")


def rule_of(row):
    return row.get("rule", f"route {row.get('to', 'plain')}/otherwise")


def is_forwarded(row):
    return rule_of(row).endswith("/otherwise") or re.fullmatch(r"access \w+/web", rule_of(row)) is not None


def status_of(row):
    kind = rule_of(row).split("/")[0].split(" ")[0]
    return 200 if is_forwarded(row) else {"mesh": row.get("status", 400), "access": 403, "limit": 429, "route": 200}[kind]


def received(row, in_kernel):
    """What the server gets of a request that is allowed."""
    changed = row.get("receives", {} if in_kernel else row.get("handler_receives", {}))
    return head_of({**row, **changed}) + body_of(row)


def enter_namespace():
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000):  # CLONE_NEWNET
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    sources = {row["source"].removeprefix("::ffff:") for rows in TABLE.values() for row in rows if "source" in row}
    for each in sorted(sources):
        subprocess.run(["ip", "address", "add", each, "dev", "lo", *(["nodad"] if ":" in each else [])], check=True)


class Echoing(World):
    """The mesh of the table, its endpoints being servers that answer with what they got."""

    def __init__(self, fast):
        self.echoing, self.fast = {}, fast
        self.seen = dict.fromkeys(SERVICES, 0)
        super().__init__(text=Echoing.text)

    def text(self):
        text = (FOLDER / "bypass.mesh").read_text()
        for i, service in enumerate(SERVICES, 1):
            process = self.popen("server", [sys.executable, HERE / "echo_server.py", service], stdout=subprocess.PIPE, text=True)
            self.echoing[service] = process, int(process.stdout.readline())
            text = text.replace(f"127.0.0.1:900{i}", f"127.0.0.1:{self.echoing[service][1]}")
        return text if self.fast else re.sub(r"(identity (?:web|foe)) }", r"\1 fast_path off }", text)

    def client(self, row):
        service, dial = row.get("to", "plain"), row.get("dial", "4")
        self.enter(row.get("from", "web"))
        try:
            if dial == "endpoint":
                return Client("loopback", self.echoing[service][1], source=row.get("source"))
            return Client(dial, SERVICES[service], source=row.get("source"))
        finally:
            self.enter("web")

    def decided_in_kernel(self):
        return self.fast_path()["requests"] if self.fast else 0

    def close(self):
        self.leave()
        for process, _ in self.echoing.values():
            process.kill()
            process.wait()
            process.stdout.close()
        super().close()


class Bypass:
    """The tests, for one of the two ways."""

    @classmethod
    def setUpClass(cls):
        cls.world = Echoing(cls.fast)

    @classmethod
    def tearDownClass(cls):
        cls.world.close()

    def expect_echo(self, response, service, request):
        """The one server that may answer has got these bytes, and nothing else since."""
        self.world.seen[service] += 1
        self.assertEqual((response.status, response.x_endpoint), (200, service), response.x_heddle_rule)
        self.assertEqual(response.body, request)
        self.assertEqual(int(response.x_seen), self.world.seen[service], "requests that the server has seen")

    def expect_outcome(self, client, row, in_kernel):
        response = client.read_response()
        if is_forwarded(row):
            return self.expect_echo(response, row.get("to", "plain"), received(row, in_kernel))
        self.assertEqual((response.status, response.x_heddle_rule), (status_of(row), rule_of(row)))
        self.assertIsNone(response.x_endpoint)
        if rule_of(row).startswith("mesh/"):
            self.assertTrue(client.ended(), "a refused connection ends")

    def warm(self, client, row):
        """Whoever is allowed has used the endpoint, and his next request is the kernel's."""
        request = head_of({"line": "GET /warm HTTP/1.1"})
        for _ in range(2):
            client.send(request)
            response = client.read_response()
            if response.status != 403:
                self.expect_echo(response, row.get("to", "plain"), request)

    def ask(self, client, row):
        client.send(head_of(row) + body_of(row))
        self.expect_outcome(client, row, self.is_kernel(row))

    def is_kernel(self, row):
        return self.fast and is_forwarded(row) and row.get("tier") != "handler"

    def expect_alive(self, client, row):
        """What is behind the request on its connection is a request of its own."""
        ends = "close" in str(row.get("fields")) or " HTTP/1.0" in row.get("line", "") or "body" in row
        if rule_of(row).startswith("mesh/") or ends or row.get("from") or "address" in rule_of(row):
            return
        after = {"to": row.get("to", "plain"), "line": "GET /after HTTP/1.1"}
        client.send(head_of(after))
        self.expect_outcome(client, after, self.fast)

    def run_group(self, rows):
        """The requests of a group one after the other, on a connection each; how many the kernel decided."""
        clients = []
        for row in rows:
            clients.append(self.world.client(row))
            self.addCleanup(clients[-1].close)
            self.warm(clients[-1], row)
        before = self.world.decided_in_kernel()
        for row, client in zip(rows, clients):
            with self.subTest(row["name"], to=row.get("to", "plain")):
                self.ask(client, row)
        decided = self.world.decided_in_kernel() - before
        for row, client in zip(rows, clients):
            with self.subTest(row["name"], to=row.get("to", "plain"), what="and a request behind it"):
                self.expect_alive(client, row)
            client.close()
        return decided

    def test_every_row(self):
        count = kernel = 0
        for group, rows in TABLE.items():
            with self.subTest(group=group):
                decided = self.run_group(rows)
                wanted = sum(self.is_kernel(row) for row in rows)
                self.assertEqual(decided, wanted, [row["name"] for row in rows if self.is_kernel(row)])
                count, kernel = count + len(rows), kernel + decided
        print(f"{count} requests, {kernel} of them decided in the kernel", flush=True)
        self.assertGreaterEqual(count, LEAST)
        if self.fast:
            self.assertGreaterEqual(kernel, LEAST_IN_KERNEL)

    def test_as_the_second_of_a_connection_split_at_every_byte(self):
        """In front of it a request that is allowed. The second part follows at once: the outcome is the same wherever it begins."""
        for row in (row for rows in TABLE.values() for row in rows if row.get("second")):
            with self.subTest(row["name"]):
                first = {"to": row.get("to", "plain"), "line": "GET /first HTTP/1.1"}
                data = head_of(first) + head_of(row) + body_of(row)
                client = None
                for cut in range(len(data)):
                    if client is None:
                        client = self.world.client(row)
                        self.warm(client, row)
                    client.send_in_pieces(data, [cut] if cut else [])
                    self.expect_echo(client.read_response(), first["to"], head_of(first))
                    self.expect_outcome(client, row, in_kernel=False)
                    if rule_of(row).startswith("mesh/"):
                        client.close()
                        client = None
                if client:
                    client.close()


class OnTheFastPath(Bypass, unittest.TestCase):
    fast = True


class ByTheHandler(Bypass, unittest.TestCase):
    fast = False


if __name__ == "__main__":
    enter_namespace()
    unittest.main()
