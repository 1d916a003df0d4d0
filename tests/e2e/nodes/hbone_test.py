"""HBONE with a peer of another library on either side. `hbone_test.py WORKERS [TEST]`."""
import json
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from identities_test import TCP  # noqa: E402
from world import ADDRESSES, PORT, TIMEOUT, World, policy  # noqa: E402

WORKERS = 2
HERE = pathlib.Path(__file__).parent
TO = ADDRESSES["b"][0]
ELSEWHERE = f"""service elsewhere {{
  address   10.96.77.3:80
  protocol  http
  transport mtls
  identity  api
  endpoint {ADDRESSES['a'][0]}:{PORT}
}}
access elsewhere {{ allow from web }}"""
GET = "GET /x HTTP/1.1\r\nHost: echo\r\n\r\n"


def head(authority=f"{TO}:{PORT}", method="CONNECT", extra=()):
    return [[":method", method], [":authority", authority], *extra]


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World(policy(access='allow from web when not path under "/forbidden"', extra=TCP + "\n" + ELSEWHERE), WORKERS, start=False)
        try:
            cls.begin()
        except BaseException:
            cls.world.close()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.world.close()


class Client(Base):
    """A client that is no agent, against ours on the endpoint's node."""

    @classmethod
    def begin(cls):
        cls.world.b.start(cls.world.bundle, WORKERS)
        for kind, port in (("http", PORT), ("tcp", 5672)):
            cls.world.serve(cls.world.b, HERE / "server.py", kind, TO, port, "far")

    def ask(self, who="web", send=GET, **task):
        task = {"to": TO, "identity": str(self.world.a.identities / who), "name": f"{PORT}.port.hbone.internal", "head": head(), "send": send,
                "until": "\r\n\r\nfar ", **task}
        done = subprocess.run(self.world.a.inside(sys.executable, "-B", HERE / "hbone.py", json.dumps(task)), capture_output=True, text=True,
                              timeout=TIMEOUT)
        self.assertEqual(done.returncode, 0, done.stderr + self.world.b.text_of_log())
        return json.loads(done.stdout)

    def test_request(self):
        answer = self.ask(head=head(extra=[["forwarded", "for=10.1.2.3"], ["baggage", "k8s.cluster.name=c"],
                                           ["traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]]))
        self.assertEqual(answer["status"], 200)
        self.assertIn("HTTP/1.1 200 OK", answer["body"])
        self.assertIn("far ", answer["body"])

    def test_no_server_name_where_there_is_one_identity(self):
        self.assertEqual(self.ask(name=None)["status"], 200)

    def test_wrong_authorities(self):
        for authority, status in ((f"{TO}:9999", 404), (f"10.77.0.9:{PORT}", 404), (f"{ADDRESSES['a'][0]}:{PORT}", 404), (f"127.0.0.1:{PORT}", 404), ("echo:9080", 400), (TO, 400),
                                  (f"{TO}:0", 400)):
            with self.subTest(authority):
                self.assertEqual(self.ask(head=head(authority))["status"], status)

    def test_wrong_method(self):
        self.assertEqual(self.ask(head=head(method="GET", extra=[[":scheme", "http"], [":path", "/"]]))["status"], 405)

    def test_identity_that_the_policy_does_not_allow(self):
        self.assertIn("HTTP/1.1 403", self.ask("foe", until="403")["body"])
        self.assertEqual(self.ask("foe", head=head(f"{TO}:5672"), send="x")["status"], 403)

    def test_request_that_the_policy_does_not_allow(self):
        self.assertIn("HTTP/1.1 403", self.ask(send=GET.replace("/x", "/forbidden/x"), until="403")["body"])

    def test_malformed_request(self):
        self.assertIn("HTTP/1.1 400", self.ask(send="GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", until="400")["body"])

    def test_bytes_of_tcp_and_the_end_of_one_side(self):
        answer = self.ask(head=head(f"{TO}:5672"), send="hello", half_close=True, until="\0")
        self.assertEqual((answer["status"], answer["body"], answer["ended"]), (200, "ready\nhello", True))


class Server(Base):
    """A server that is no agent, for ours on the caller's node."""

    @classmethod
    def begin(cls):
        cls.world.a.start(cls.world.bundle, WORKERS)

    def serve(self, status):
        task = {"at": TO, "identity": str(self.world.b.identities / "api"), "status": status}
        process = subprocess.Popen(self.world.b.inside(sys.executable, "-B", HERE / "hbone.py", json.dumps(task)), stdout=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (process.kill(), process.wait(), process.stdout.close()))
        self.assertEqual(process.stdout.readline(), "listening\n")
        return process

    def test_request(self):
        server = self.serve(200)
        code, status, text, body = self.world.a.curl("web")
        self.assertEqual((code, status, body), (0, 200, b"GET /x HTTP/1.1"), text + self.world.a.text_of_log())
        seen = json.loads(server.stdout.readline())
        fields = dict(seen["head"])
        self.assertEqual(fields[":method"], "CONNECT")
        self.assertEqual(fields[":authority"], f"{TO}:{PORT}")
        self.assertTrue(fields["forwarded"].startswith("for="), fields)
        self.assertFalse({":scheme", ":path"} & set(fields), fields)
        self.assertEqual(seen["peer"], ["spiffe://two.example/ns/two/sa/web"])

    def test_refusals(self):
        for refused in (403, 503, 404):
            with self.subTest(refused):
                server = self.serve(refused)
                self.assertEqual(self.world.a.curl("web")[1], 503)
                self.assertIn("CONNECT", server.stdout.readline())
                server.kill()
                server.wait()

    def test_nobody_there(self):
        self.assertEqual(self.world.a.curl("web")[1], 503)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        WORKERS = int(sys.argv.pop(1))
    unittest.main(verbosity=2)
