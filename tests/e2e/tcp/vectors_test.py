"""tests/vectors/tcp.json, by the handler. Evaluator and syscall entry take the same file (tests/differential/vectors_test.cpp)."""
import json
import pathlib
import unittest

from tcp_world import QUEUE, RawServer, World, outcome, read_to_end

FOLDER = pathlib.Path(__file__).parent.parent.parent / "vectors"
ROWS = json.loads((FOLDER / "tcp.json").read_text())
OTHERS = {"inner": ("10.96.8.2", 5672), "relay": ("10.96.8.3", 5672), "plain": ("10.96.8.4", 5672)}


class Vectors(unittest.TestCase):
    workers = 1

    def setUp(self):
        text = (FOLDER / "tcp.mesh").read_text()
        self.servers = {}
        for port, label in ((9001, "v1"), (9002, "v2"), (9003, "inner"), (9004, "relay"), (9005, "plain")):
            self.servers[label] = RawServer(lambda peer, label=label: self.serve(peer, label))
            text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{self.servers[label].port}")
            self.addCleanup(self.servers[label].close)
        self.world = World(text, self.workers)
        self.addCleanup(self.world.close)

    def serve(self, peer, label):
        """Says which it is before it has read anything, and gives back what it got."""
        peer.sendall(label.encode() + b" ")
        got, _ = read_to_end(peer)
        peer.sendall(got)

    @staticmethod
    def is_forwarded(row):
        return row["rule"].startswith("route") or "goes" in row

    def address(self, row):
        if row.get("dial") == "endpoint":
            return ("127.0.0.1", self.servers["v1"].port)
        return OTHERS[row["to"]] if "to" in row else QUEUE[row.get("dial", "4")]

    def ask(self, row):
        """What the server says, what comes back, and how it ends."""
        if not self.is_forwarded(row):
            return (b"", *outcome(self.world, self.address(row), row.get("from", "web"), row["source"]))
        with self.world.connect(self.address(row), row.get("from", "web"), row["source"]) as sock:
            label = b""
            while not label.endswith(b" "):
                part = sock.recv(1)
                if not part:
                    return label, b"", "closed"
                label += part
            sock.sendall(b"and more")
            sock.shutdown(1)
            return (label[:-1], *read_to_end(sock))

    def test_every_row(self):
        sticky = set()
        for row in ROWS:
            with self.subTest(row["name"]):
                before = self.world.decisions(row["rule"])
                accepted = sum(server.accepted for server in self.servers.values())
                label, echoed, how = self.ask(row)
                if self.is_forwarded(row):
                    self.assertEqual((echoed, how), (b"and more", "closed"))
                else:
                    # Who is decided when it connects is not even connected.
                    self.assertEqual((label, echoed, how), (b"", b"", "refused" if row.get("to") == "plain" else "reset"))
                    self.assertEqual(sum(server.accepted for server in self.servers.values()), accepted)
                if "goes" in row:
                    self.assertEqual(label.decode(), row["goes"])
                if row["rule"] == "route queue/split":
                    sticky.add(label)
                self.assertEqual(self.world.decisions(row["rule"]), before + 1, row["rule"])
        self.assertEqual(len(sticky), 1, "one address takes one part")
        self.assertEqual(self.world.decisions("access queue/watched"), sum(len(row.get("audited", [])) for row in ROWS))
        print(f"{len(ROWS)} connections", flush=True)


class VectorsByThreeWorkers(Vectors):
    workers = 3


if __name__ == "__main__":
    unittest.main()
