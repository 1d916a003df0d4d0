"""tests/vectors/tls.json, by the handler. Evaluator and syscall entry take the same file (tests/differential/vectors_test.cpp)."""
import json
import pathlib
import re
import unittest

from hello import hello
from world import RawServer, World, read_to_end

FOLDER = pathlib.Path(__file__).parent.parent.parent / "vectors"
ROWS = json.loads((FOLDER / "tls.json").read_text())


def name_of(row):
    if "sni" not in row:
        return None
    return re.sub(r"<(\d+)>", lambda match: "a" * int(match[1]), row["sni"]).encode("latin-1")


class Vectors(unittest.TestCase):
    workers = 1

    def setUp(self):
        self.seen = {}
        text = (FOLDER / "tls.mesh").read_text()
        self.servers = {}
        for port, label in ((9001, "v1"), (9002, "v2"), (9003, "inner")):
            self.servers[label] = RawServer(lambda peer, label=label: self.serve(peer, label))
            text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{self.servers[label].port}")
            self.addCleanup(self.servers[label].close)
        self.world = World(text, self.workers)
        self.addCleanup(self.world.close)

    def serve(self, peer, label):
        """Says which it is, and gives back what it got."""
        got, _ = read_to_end(peer)
        peer.sendall(label.encode() + b" " + got)

    def address(self, row):
        if row.get("dial") == "endpoint":
            return ("127.0.0.1", self.servers["v1"].port)
        if row.get("to") == "inner":
            return ("10.96.7.2", 443)
        return row.get("dial", "4")

    def test_every_row(self):
        sticky = set()
        for row in ROWS:
            with self.subTest(row["name"]):
                sent = hello(name_of(row)) + b"and more"
                before = self.world.decisions(row["rule"])
                with self.world.connect(self.address(row), row.get("from", "web"), row.get("source")) as sock:
                    sock.sendall(sent)
                    if not row["rule"].startswith("mesh/"):
                        sock.shutdown(1)
                    got, _ = read_to_end(sock)
                label, _, echoed = got.partition(b" ")
                forwarded = row["rule"].startswith("route") or "goes" in row
                self.assertEqual(echoed, sent if forwarded else b"")
                if "goes" in row:
                    self.assertEqual(label.decode(), row["goes"])
                if row["rule"] == "route gate/split":
                    sticky.add(label)
                self.assertEqual(self.world.decisions(row["rule"]), before + 1, row["rule"])
        self.assertEqual(len(sticky), 1, "one address takes one part")
        self.assertEqual(self.world.decisions("access gate/watched"), sum(len(row.get("audited", [])) for row in ROWS))
        print(f"{len(ROWS)} connections", flush=True)


class VectorsByThreeWorkers(Vectors):
    workers = 3


if __name__ == "__main__":
    unittest.main()
