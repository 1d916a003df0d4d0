"""The loaded function decides what real clients ask of a real server, through unprivileged workers."""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

from mesh import Mesh, policy
from support import Server, echo, request, stop

CLIENT = str(pathlib.Path(__file__).parent / "client.py")


class EndToEnd(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(echo)
        cls.other = Server(echo)
        cls.arrived = threading.Semaphore(0)
        cls.release = threading.Event()
        cls.holding = Server(cls.hold)
        unused = socket.socket()
        unused.bind(("127.0.0.1", 0))
        cls.unused = unused
        cls.mesh = Mesh(cls.text(), workers=1)

    @classmethod
    def hold(cls, _, peer):
        peer.read_until(b"\r\n\r\n")
        cls.arrived.release()
        cls.release.wait(60)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    @classmethod
    def text(cls):
        return policy(
            [f"127.0.0.1:{cls.server.port}", f"127.0.0.1:{cls.other.port}", f"127.0.0.1:{cls.unused.getsockname()[1]}",
             f"127.0.0.1:{cls.holding.port}"],
            access='deny from any when header "x-debug" present\n  allow from web\n'
                   '  allow from foe when path is "/open" and method is GET',
            route='route echo {\n  when path is "/hello" -> respond 200 "hello from the mesh"\n'
                  '  when path under "/two" -> v2\n  when path under "/dead" -> v3\n  when path is "/held" -> v4\n'
                  '  when path under "/moved" -> redirect 308 prefix "/moved" to "/two"\n  otherwise -> v1\n}')

    @classmethod
    def tearDownClass(cls):
        cls.mesh.close()
        cls.server.close()
        cls.other.close()
        cls.holding.close()
        cls.unused.close()

    def client(self, workload, *arguments):
        code, out, err = self.mesh.run(workload, [sys.executable, CLIENT, *arguments])
        self.assertEqual(code, 0, err.decode())
        return json.loads(out.splitlines()[-1])

    def url(self, path, host="10.96.7.1"):
        return f"http://{host}{path}"

    def test_who_asks_decides(self):
        self.assertEqual(self.mesh.curl("web", self.url("/a"))[1], 200)
        code, status, rule, body = self.mesh.curl("foe", self.url("/a"))
        self.assertEqual((code, status, rule), (0, 403, "access echo/default"))
        self.assertIn(b"denied by `access echo/default`", body)
        self.assertIn(b"access echo {\n    allow from ", body)
        self.assertEqual(self.mesh.curl("foe", self.url("/open"))[1], 200)
        self.assertEqual(self.mesh.curl("foe", "-X", "POST", self.url("/open"))[1], 403)

    def test_every_way_to_dial(self):
        for family, shown in (("4", "10.96.7.1"), ("6", "fd00:7::1"), ("mapped", "::ffff:10.96.7.1")):
            self.assertEqual(self.client("web", "ask", family, "/hello"),
                             [200, "route echo/1", "hello from the mesh", shown, 80])
            self.assertEqual(self.client("foe", "ask", family, "/hello")[:2], [403, "access echo/default"])

    def test_a_client_follows_a_redirect(self):
        for host in ("10.96.7.1", "[fd00:7::1]"):
            url = self.url("/moved/x?q=1", host)
            code, status, _, followed = self.mesh.curl("web", "-L", "-d", "text", url)
            self.assertEqual((code, status), (0, 308))
            head, _, body = followed.partition(b"\r\n\r\n")
            self.assertTrue(head.startswith(b"HTTP/1.1 200 "), head)
            self.assertTrue(body.startswith(b"POST /two/x?q=1 "), body)
            self.assertEqual(self.mesh.curl("web", url)[1:3], (308, "route echo/5"))
            self.assertEqual(self.mesh.curl("foe", url)[1], 403)

    def test_an_endpoint_dialled_directly(self):
        url = self.url("/hello", f"127.0.0.1:{self.server.port}")
        _, status, rule, body = self.mesh.curl("web", url)
        self.assertEqual((status, rule), (200, None), "no route applies")
        self.assertTrue(body.startswith(b"GET /hello "))
        self.assertEqual(self.mesh.curl("foe", url)[1:3], (403, "access echo/default"))

    def test_a_stranger_is_untouched(self):
        url = self.url("/a", f"127.0.0.1:{self.server.port}")
        out = subprocess.run(["curl", "-sS", url], capture_output=True, check=True).stdout
        self.assertTrue(out.startswith(b"GET /a "))

    def test_the_handler_serves_only_whom_the_mesh_sent(self):
        accepted = self.server.accepted
        url = f"http://127.0.0.1:{self.mesh.listener_port()}/a"
        host = ["-H", "Host: echo"]
        for code in (subprocess.run(["curl", "-sS", *host, url], capture_output=True).returncode, self.mesh.curl("web", *host, url)[0],
                     self.mesh.curl("foe", *host, url)[0]):
            self.assertIn(code, (7, 52, 56), "refused, empty or reset")
        self.assertEqual(self.server.accepted, accepted)

    def test_routes(self):
        self.other.received.clear()
        self.assertEqual(self.mesh.curl("web", self.url("/two/x"))[1], 200)
        self.assertEqual(len(self.other.received), 1)
        _, status, rule, _ = self.mesh.curl("web", self.url("/dead"))
        self.assertEqual((status, rule), (503, "service echo/unhealthy"))

    def test_a_rule_that_denies(self):
        _, status, rule, body = self.mesh.curl("web", "-H", "X-Debug: 1", self.url("/a"))
        self.assertEqual((status, rule), (403, "access echo/1"))
        self.assertIn(b"`access echo`", body)

    def test_counters(self):
        def count(rule):
            return int(re.search(rf"\n\s+{re.escape(rule)}\s+(\d+)\n", self.mesh.status()).group(1))

        before = count("route echo/1"), count("access echo/default")
        for _ in range(3):
            self.mesh.curl("web", self.url("/hello"))
        self.mesh.curl("foe", self.url("/hello"))
        self.assertEqual((count("route echo/1"), count("access echo/default")), (before[0] + 3, before[1] + 1))

    def test_workers_have_no_privilege(self):
        workers = self.mesh.workers()
        self.assertEqual(len(workers), 1)
        for pid in workers:
            status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
            for kind in ("Uid", "Gid"):
                self.assertNotIn("0", status[kind].split(), kind)
            for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                self.assertEqual(int(status[kind], 16), 0, kind)
            self.assertEqual((status["NoNewPrivs"], status["Seccomp"], status["Groups"].strip()), ("1", "2", ""))

    def test_every_split(self):
        """Decided by the kernel the same, however it comes."""
        for path, expected in (("/hello", [200, "route echo/1", "hello from the mesh"]), ("/a/../b", [400, "mesh/path"])):
            head = request("GET", path, "X-Other: y", "Accept: */*")
            outcomes = self.client("web", "splits", head.hex())
            self.assertEqual(len(outcomes), 1)
            self.assertEqual(outcomes[0][:len(expected)], expected)

    def test_refused_and_never_seen(self):
        self.server.received.clear()
        accepted = self.server.accepted
        plain = "GET / HTTP/1.1\r\nHost: a\r\n"
        malformed = [
            plain.replace("\r\n", "\n") + "\n", plain + "X: a\r\n b\r\n\r\n", plain + "X : a\r\n\r\n", plain + "Host: a\r\n\r\n",
            plain + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", plain + "Content-Length: 3\r\nContent-Length: 3\r\n\r\n",
            plain + "X: \0\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
            plain + "Connection: x-debug\r\n\r\n", "GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", plain + "Transfer-Encoding: gzip, chunked\r\n\r\n"]
        paths = ["//", "/a//b", "/.", "/a/..", "/a/../b", "/a\\b", "/a;b", "/%2f", "/%5C", "/%00", "/%zz", "/%4", "/%41", "/a#b", "/?%41",
                 "/?a#b"]
        ambiguous = [f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n" for path in paths]
        for heads, rule in ((malformed, "mesh/malformed"), (ambiguous, "mesh/path")):
            results = self.client("web", "raw", *(head.encode("latin-1").hex() for head in heads))
            for head, result in zip(heads, results):
                self.assertEqual(result, [400, rule, True], head)
        for head, status in (("GET /" + "a" * 16384 + " HTTP/1.1\r\nHost: a\r\n\r\n", 414),
                             (plain + "X: " + "x" * 66000 + "\r\n\r\n", 431), ("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 405)):
            # Arguments of a process are bounded.
            if len(head) < 30_000:
                self.assertEqual(self.client("web", "raw", head.encode().hex()), [[status, "mesh/malformed", True]])
        self.assertEqual((self.server.received, self.server.accepted), ([], accepted))

    def test_64_ready_heads_are_one_call(self):
        """While the server holds its answers, the kernel counts one run of the program that decides."""
        from machine import count_runs, program_runs
        self.addCleanup(count_runs, count_runs(True))
        process = self.mesh.popen("web", [sys.executable, CLIENT, "many", "64", "/held"], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "begun\n")
        # A connection waits in the queue until something comes on it. All are accepted once the worker has answered
        # somebody who came later.
        self.assertEqual(self.mesh.curl("web", self.url("/hello"))[1], 200)
        worker = self.mesh.workers()[0]
        # The ends of earlier requests are reported when nothing else is to be done, once and for all.
        runs = None
        while runs != (runs := program_runs(worker, "decide")):
            time.sleep(0.5)
        stop(worker)
        try:
            process.stdin.write("go\n")
            process.stdin.flush()
            self.assertEqual(process.stdout.readline(), "sent\n")
        finally:
            os.kill(worker, signal.SIGCONT)
        for _ in range(64):
            self.assertTrue(self.arrived.acquire(timeout=30))
        self.assertEqual(program_runs(worker, "decide") - runs, 1)
        self.release.set()
        out, _ = process.communicate()
        self.assertEqual(json.loads(out), [200] * 64)


if __name__ == "__main__":
    unittest.main()
