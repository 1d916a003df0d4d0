"""A request crosses nodes: authenticated at both ends, encrypted, decided twice. `nodes_test.py WORKERS [TEST]`."""
import hashlib
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from world import ADDRESSES, PORT, SERVICE, World, policy  # noqa: E402

WORKERS = 2
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

    def test_the_caller_is_named_to_the_endpoints_node(self):
        self.assertEqual(self.world.a.curl("web")[1], 200)


def decisions(node, rule):
    """How often the rule ended a decision there."""
    for line in node.status().splitlines():
        if line.strip().startswith(rule + " "):
            return int(line.split()[-1])
    raise AssertionError(node.status())


if __name__ == "__main__":
    if len(sys.argv) > 1:
        WORKERS = int(sys.argv.pop(1))
    unittest.main(verbosity=2)
