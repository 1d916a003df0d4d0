"""A request crosses nodes: authenticated at both ends, encrypted, decided twice. `nodes_test.py WORKERS [TEST]`."""
import hashlib
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from world import ADDRESSES, PORT, SERVICE, World, policy, run  # noqa: E402

WORKERS = 2
SECOND = "10.77.0.11"  # of the first node
SERVER = pathlib.Path(__file__).parent / "server.py"


class Nodes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World(policy(access="allow from web when not path under \"/forbidden\""), WORKERS)
        try:
            for address in ADDRESSES["b"]:
                cls.world.serve(cls.world.b, SERVER, "http", address, PORT, "far")
        except BaseException:
            cls.world.close()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.world.close()

    def test_request_crosses_nodes(self):
        code, status, head, body = self.world.a.curl("web")
        self.assertEqual((code, status), (0, 200), head + self.world.a.text_of_log() + self.world.b.text_of_log())
        self.assertTrue(body.startswith(b"far /x 0 "), body)

    def test_both_nodes_decide(self):
        for node in (self.world.a, self.world.b):
            before = decisions(node, "access echo/1")
            self.assertEqual(self.world.a.curl("web")[1], 200)
            self.assertEqual(decisions(node, "access echo/1"), before + 1, node.name)

    def test_denied_by_the_callers_node(self):
        before = decisions(self.world.b, "access echo/1")
        self.assertEqual(self.world.a.curl("foe")[1], 403)
        self.assertEqual(self.world.a.curl("web", url=f"http://{SERVICE[0]}/forbidden/x")[1], 403)
        self.assertEqual(decisions(self.world.b, "access echo/1"), before)

    def test_ipv6(self):
        code, status, head, _ = self.world.a.curl("web", url=f"http://[{SERVICE[1]}]/x")
        self.assertEqual((code, status), (0, 200), head)

    def test_large_bodies_both_ways(self):
        data = bytes(i * 13 % 256 for i in range(256)) * (20 * 4096)
        path = self.world.folder / "body"
        path.write_bytes(data)
        code, status, head, body = self.world.a.curl("web", "-H", "Expect:", "--data-binary", f"@{path}", url=f"http://{SERVICE[0]}/echo")
        self.assertEqual((code, status), (0, 200), head[:2000])
        self.assertEqual(hashlib.sha256(body).hexdigest(), hashlib.sha256(data).hexdigest())


class Judgements(unittest.TestCase):
    """The nodes have policies that differ: both have to allow, and the client's address is what the caller's node says it is."""

    @classmethod
    def setUpClass(cls):
        cls.world = World(start=False)
        try:
            access = {"a": 'deny from any when path under "/near" { label "near" } allow from web',
                      "b": f'deny from any when path under "/far" {{ label "far" }} '
                           f'deny from any when address is {SECOND} {{ label "second" }} allow from web'}
            for node in cls.world.nodes:
                node.start(cls.world.build(policy(access=access[node.name]), node.name), WORKERS)
            run("ip", "-n", cls.world.a.netns, "addr", "add", f"{SECOND}/24", "dev", cls.world.a.device)
            cls.world.serve(cls.world.b, SERVER, "http", ADDRESSES["b"][0], PORT, "far")
        except BaseException:
            cls.world.close()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.world.close()

    def ask(self, path, *options):
        """Status and rule."""
        _, status, head, _ = self.world.a.curl("web", *options, url=f"http://{SERVICE[0]}{path}")
        rule = [line.split(": ", 1)[1] for line in head.splitlines() if line.lower().startswith("x-heddle-rule: ")]
        return status, rule[0] if rule else None

    def test_both_allow(self):
        self.assertEqual(self.ask("/x"), (200, None))

    def test_the_callers_node_denies(self):
        before = decided(self.world.b)
        self.assertEqual(self.ask("/near/x"), (403, "access echo/near"))
        self.assertEqual(decided(self.world.b), before, "the endpoint's node has heard of it")

    def test_the_endpoints_node_denies(self):
        before = decisions(self.world.a, "access echo/near")
        self.assertEqual(self.ask("/far/x"), (403, "access echo/far"))
        self.assertEqual(decisions(self.world.a, "access echo/near"), before)
        self.assertGreater(decisions(self.world.b, "access echo/far"), 0)

    def test_a_server_does_not_speak_for_the_mesh(self):
        self.assertEqual(self.ask("/forge"), (200, None))

    def test_the_clients_own_address_counts(self):
        """All of the node's clients share a tunnel, which has an address of its own."""
        self.assertEqual(self.ask("/x", "--interface", SECOND), (403, "access echo/second"))
        self.assertEqual(self.ask("/x", "--interface", ADDRESSES["a"][0]), (200, None))


def decisions(node, rule):
    """How often the rule ended a decision there."""
    for line in node.status().splitlines():
        if line.strip().startswith(rule + " "):
            return int(line.split()[-1])
    raise AssertionError(node.status())


def decided(node):
    """All that it has decided."""
    return node.status().split("\ndecisions\n")[1]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        WORKERS = int(sys.argv.pop(1))
    unittest.main(verbosity=2)
