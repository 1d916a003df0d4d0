"""tests/vectors/requests.json, by the handler and by the fast path. Evaluator and syscall entry take the same file
(tests/differential/vectors_test.cpp)."""
import json
import pathlib
import subprocess
import sys
import unittest

from wire import Client
from world import World

HERE = pathlib.Path(__file__).parent
FOLDER = HERE.parent.parent / "vectors"
ROWS = json.loads((FOLDER / "requests.json").read_text())


def head_of(row):
    host = [f"Host: {row.get('host', 'echo')}"] if row.get("host", "") is not None else []
    return "\r\n".join([row["line"], *host, *row.get("fields", []), "", ""]).encode("latin-1")


def expected(row):
    """Status, and the rule that the mesh names or the endpoint that answers."""
    rule = row["rule"]
    if rule.startswith("mesh/"):
        return row.get("status", 400), rule
    if rule.startswith("access") and rule != "access echo/web":
        return 403, rule
    if "status" in row:
        return row["status"], rule
    if "goes" in row:
        return 200, row["goes"]
    return 200, "v1" if rule in ("route echo/otherwise", "access echo/web") else "v2"


class Labelled(World):
    """The mesh of the vectors, its two endpoints being servers that say which they are."""

    def __init__(self, fast):
        self.labelled, self.fast = {}, fast
        super().__init__(text=Labelled.text)

    def text(self):
        text = (FOLDER / "policy.mesh").read_text()
        for i, label in enumerate(("v1", "v2"), 1):
            process = self.popen("server", [sys.executable, HERE / "label_server.py", label], stdout=subprocess.PIPE, text=True)
            self.labelled[label] = process, int(process.stdout.readline())
            text = text.replace(f"127.0.0.1:900{i}", f"127.0.0.1:{self.labelled[label][1]}")
        if not self.fast:
            text = text.replace("identity web }", "identity web fast_path off }").replace("identity foe }", "identity foe fast_path off }")
        return text

    def close(self):
        self.leave()
        for process, _ in self.labelled.values():
            process.kill()
            process.wait()
            process.stdout.close()
        super().close()


class Vectors(unittest.TestCase):
    def client(self, world, row):
        world.enter(row.get("from", "web"))
        try:
            dial = row.get("dial", "4")
            if dial != "endpoint":
                return Client(dial, source=row.get("source"))
            return Client("loopback", world.labelled["v1"][1])
        finally:
            world.enter("web")

    def warm(self, client):
        """Whoever is allowed has used both endpoints."""
        for field in ("X-Warm: 1", "X-User: jason"):
            for _ in range(2):
                client.get("/warm", field)

    def run_all(self, fast):
        world = Labelled(fast)
        self.addCleanup(world.close)
        kernel = 0
        audited = {"access echo/items": 0, "access other audit/c": 0}
        for row in ROWS:
            with self.subTest(row["name"]), self.client(world, row) as client:
                self.warm(client)
                before = world.fast_path()["requests"]
                client.send(head_of(row))
                response = client.read_response(row["line"].split(" ")[0])
                status, who = expected(row)
                self.assertEqual((response.status, response.x_endpoint or response.x_heddle_rule), (status, who))
                self.assertEqual(response.location, row.get("location"))
                if "type" in row:
                    self.assertEqual(response.content_type, row["type"])
                in_kernel = fast and status == 200 and row.get("tier") != "handler"
                self.assertEqual(world.fast_path()["requests"] - before, 1 if in_kernel else 0, "decided in the kernel")
                kernel += in_kernel
                for rule in row.get("audited", []):
                    audited[rule] += 1
        counted = {rule["id"]: rule["decisions"] for rule in world.status_now()["rules"] if rule["id"] in audited}
        self.assertEqual(counted, audited)
        self.assertTrue(all(audited.values()), audited)
        print(f"{len(ROWS)} requests, {kernel} of them decided in the kernel", flush=True)
        self.assertGreaterEqual(len(ROWS), 60)

    def test_on_the_fast_path(self):
        self.run_all(True)

    def test_by_the_handler(self):
        self.run_all(False)


if __name__ == "__main__":
    unittest.main()
