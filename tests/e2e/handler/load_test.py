"""Policies change, and bodies flow, under load."""
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import threading
import unittest

from mesh import Mesh, policy
from support import MB, Server, echo

FOLDER = pathlib.Path(__file__).parent
SECONDS = int(os.environ.get("HEDDLE_LOAD_SECONDS", "10"))


def answering(body):
    """Answers without looking, as fast as Python can."""
    def script(_, peer):
        while True:
            peer.read_until(b"\r\n\r\n")
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    return script


class Load(unittest.TestCase):
    def setUp(self):
        self.server = Server(answering(b"first"))
        self.address = f"127.0.0.1:{self.server.port}"

    def tearDown(self):
        self.mesh.close()
        self.server.close()

    def wrk(self, path, seconds, *arguments):
        return self.mesh.popen("web", ["wrk", "-t2", "-c64", f"-d{seconds}s", *arguments, f"http://10.96.7.1{path}"],
                               stdout=subprocess.PIPE, text=True)

    def finished(self, process):
        out, _ = process.communicate(timeout=SECONDS * 3 + 60)
        self.assertEqual(process.returncode, 0)
        self.assertNotIn("Socket errors", out)
        self.assertNotIn("Non-2xx", out)
        self.assertGreater(int(re.search(r"(\d+) requests in", out).group(1)), 100)
        return out

    def test_without_errors_and_without_growing(self):
        self.mesh = Mesh(policy([self.address]))
        self.finished(self.wrk("/", 2))
        before = [self.memory(pid) for pid in self.mesh.workers()]
        self.finished(self.wrk("/", SECONDS))
        for pid, kib in zip(self.mesh.workers(), before):
            self.assertLess(self.memory(pid) - kib, 512)

    @staticmethod
    def memory(pid):
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1))

    def test_reloads_lose_nothing_and_mix_nothing(self):
        """One policy lets everything through to the first server, the other denies it and would lead to the second: an
        answer of the second is access of one and route of the other."""
        second = Server(answering(b"second"))
        servers = [self.address, f"127.0.0.1:{second.port}"]
        texts = [
            policy(servers, route='route echo { when path under "/a" and not header "x" present -> v1\n otherwise -> v1 }'),
            policy(servers, access='allow from web when path is "/never"\n deny from any when path under "/a" { label "bee" }',
                   route='route echo { when header "y" absent or host is "elsewhere" -> v2\n when method is POST -> v1\n otherwise -> v2 }')]
        self.mesh = Mesh(texts[0])
        bundles = [self.mesh.build(text) for text in texts]
        load = self.wrk("/a/b", 3600, "-s", str(FOLDER / "consistent.lua"))
        try:
            for i in range(100):
                self.mesh.reload(bundles[(i + 1) % 2])
        finally:
            load.send_signal(2)
        out, _ = load.communicate(timeout=60)
        self.assertEqual(load.returncode, 0)
        self.assertNotIn("Socket errors", out)
        first, denied, mixed = map(int, re.search(r"first (\d+) denied (\d+) mixed (\d+)", out).groups())
        print(f"100 reloads: {first} answers by one policy, {denied} by the other, {mixed} by both")
        self.assertEqual(mixed, 0)
        self.assertGreater(min(first, denied), 100)
        second.close()

    def test_the_next_request_of_an_open_connection(self):
        self.mesh = Mesh(policy([self.address]))
        denies_all = self.mesh.build(policy([self.address], access="deny from any\n allow from foe"))
        allows = self.mesh.build(policy([self.address]))
        client = self.mesh.popen("web", [sys.executable, str(FOLDER / "client.py"), "open_connection"], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)

        def ask():
            client.stdin.write("/\n")
            client.stdin.flush()
            return client.stdout.readline().strip()

        self.assertEqual(ask(), '[200, ""]')
        self.mesh.reload(denies_all)
        self.assertEqual(ask(), '[403, "access echo/1"]')
        self.mesh.reload(allows)
        self.assertEqual(ask(), '[200, ""]')
        client.communicate()

    def test_a_request_that_runs_survives_reloads(self):
        """The generation that decided it is gone before its response ends."""
        release = threading.Event()
        reached = threading.Event()

        def script(_, peer):
            peer.read_request()
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
            reached.set()
            release.wait(60)
            peer.send(b"world")

        slow = Server(script)
        self.mesh = Mesh(policy([f"127.0.0.1:{slow.port}"]))
        client = self.mesh.popen("web", ["curl", "-sS", "http://10.96.7.1/"], stdout=subprocess.PIPE)
        self.assertTrue(reached.wait(30))
        bundle = self.mesh.build(policy([self.address]))
        for _ in range(3):
            self.mesh.reload(bundle)
        release.set()
        self.assertEqual(client.communicate(timeout=30)[0], b"helloworld")
        slow.close()

    def test_bodies(self):
        data = os.urandom(MB) * 20
        digests = []

        def script(_, peer):
            head = peer.read_until(b"\r\n\r\n")
            if head.startswith(b"GET"):
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
                return
            if b"chunked" in head:
                body = peer.read_chunked()[0]
            else:
                body = peer.read_exactly(int(re.search(rb"(?i)content-length: (\d+)", head).group(1)))
            digests.append(hashlib.sha256(body).hexdigest())
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        server = Server(script)
        self.mesh = Mesh(policy([f"127.0.0.1:{server.port}"]))
        digest = hashlib.sha256(data).hexdigest()
        url = "http://10.96.7.1/"
        for how in (["-T", "-"], ["-H", "Expect:", "--data-binary", "@-"]):
            code, _, err = self.mesh.run("web", ["curl", "-sS", *how, url], data)
            self.assertEqual((code, err), (0, b""))
        self.assertEqual(digests, [digest] * 2)
        before = max(self.memory(pid) for pid in self.mesh.workers())
        for how in ([], ["--limit-rate", "8M"]):
            _, body, _ = self.mesh.run("web", ["curl", "-sS", *how, url])
            self.assertEqual(hashlib.sha256(body).hexdigest(), digest)
        self.assertLess(max(self.memory(pid) for pid in self.mesh.workers()) - before, 1024)
        server.close()


if __name__ == "__main__":
    unittest.main()
