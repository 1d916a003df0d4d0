"""Who is believed between nodes, and how long: wrong certificates, wrong servers, new ones under load. `identities_test.py WORKERS [TEST]`."""
import os
import pathlib
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from world import ADDRESSES, PORT, SERVICE, TIMEOUT, Authority, World, policy  # noqa: E402

WORKERS = 2
LONG = bool(os.environ.get("HEDDLE_LONG"))
SERVER = pathlib.Path(__file__).parent / "server.py"
TCP = f"""service queue {{
  address   10.96.77.2:5672
  protocol  tcp
  transport mtls
  identity  api
  endpoint {ADDRESSES['b'][0]}:5672
}}
access queue {{ allow from web }}"""


class Identities(unittest.TestCase):
    def setUp(self):
        self.world = World(policy(extra=TCP), WORKERS)
        self.addCleanup(self.world.close)
        self.a, self.b, self.ca = self.world.a, self.world.b, self.world.ca
        for kind, port in (("http", PORT), ("tcp", 5672)):
            self.world.serve(self.b, SERVER, kind, ADDRESSES["b"][0], port, "far")

    def get(self):
        return self.a.curl("web")[1]

    def wait_status(self, wanted):
        end = time.monotonic() + TIMEOUT
        while (status := self.get()) != wanted:
            if time.monotonic() > end:
                self.fail(f"{status}, not {wanted}\n{self.a.text_of_log()}\n{self.b.text_of_log()}")
            time.sleep(0.1)

    def hold(self):
        """A connection of tcp through the tunnel that goes on as long as it is let."""
        client = self.a.popen("web", [sys.executable, "-B", "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (client.kill(), client.wait(), client.stdin.close(), client.stdout.close()))
        self.assertEqual(client.stdout.readline(), "ready\n", self.a.text_of_log() + self.b.text_of_log())
        return client

    def restart(self, node):
        node.end()
        node.start(self.world.bundle, WORKERS)

    def test_wrong_clients(self):
        """Each is refused by the endpoint's node, which names the rule that it broke."""
        other = Authority(self.world.folder / "other", "other.example", "other")
        twin = Authority(self.world.folder / "twin", name="twin")
        web = "spiffe://two.example/ns/two/sa/web"
        wrong = {
            "untrusted": (twin, {}),
            "unknown-trust-domain": (other, {}),
            "expired": (self.ca, {"starts": -3600, "seconds": -60}),
            "not-yet-valid": (self.ca, {"starts": 3000}),
            "self-signed": (self.ca, {"self_signed": True}),
            "leaf-is-ca": (self.ca, {"constraints": "critical,CA:TRUE"}),
            "leaf-signs": (self.ca, {"usage": "critical,digitalSignature,keyCertSign"}),
            "no-digital-signature": (self.ca, {"usage": "critical,keyAgreement"}),
            "no-uri": (self.ca, {"uris": []}),
            "several-uris": (self.ca, {"uris": [web, web + "2"]}),
            "not-spiffe": (self.ca, {"uris": ["https://two.example/ns/two/sa/web"]}),
            "bad-id": (self.ca, {"uris": [web + "/../foe"]}),
            "no-path": (self.ca, {"uris": ["spiffe://two.example"]}),
        }
        for rule, (authority, options) in wrong.items():
            with self.subTest(rule):
                folder = self.world.folder / f"wrong-{rule}"
                authority.issue(folder, "ns/two/sa/web", **options)
                self.dial_until_log(f"[{rule}]", "-cert", folder / "svid.pem", "-key", folder / "key.pem")
        with self.subTest("no certificate"):
            self.dial_until_log("[no-certificate]")
        self.assertEqual(self.get(), 200)

    def dial_until_log(self, text, *options):
        """A line a second is logged of such things: some are passed over."""
        end = time.monotonic() + TIMEOUT
        while text not in self.b.text_of_log():
            self.assertLess(time.monotonic(), end, self.b.text_of_log())
            subprocess.run(self.a.inside("timeout", "2", "openssl", "s_client", "-connect", f"{ADDRESSES['b'][0]}:15008", "-tls1_3", "-alpn", "h2",
                                         "-servername", f"{PORT}.port.hbone.internal", "-quiet", *options), stdin=subprocess.DEVNULL,
                           capture_output=True)

    def test_server_that_is_not_the_services(self):
        """Its certificate is as good as any, but it is somebody else's."""
        self.b.end()
        self.ca.issue(self.world.folder / "rogue", "ns/two/sa/foe")
        folder = self.world.folder / "rogue"
        rogue = subprocess.Popen(self.b.inside("openssl", "s_server", "-accept", f"{ADDRESSES['b'][0]}:15008", "-tls1_3", "-alpn", "h2", "-quiet",
                                               "-cert", folder / "svid.pem", "-key", folder / "key.pem", "-CAfile", folder / "bundle.pem",
                                               "-Verify", "2"), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (rogue.kill(), rogue.wait(), rogue.stdin.close()))
        self.wait_listening(15008)
        self.assertEqual(self.get(), 503)
        self.a.wait_log("[unexpected-peer]")

    def wait_listening(self, port):
        end = time.monotonic() + TIMEOUT
        while f":{port} " not in subprocess.run(self.b.inside("ss", "-tln"), capture_output=True, text=True).stdout:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)

    def test_nothing_is_readable_on_the_wire(self):
        seen = capture(self.b, lambda: [self.assertEqual(self.a.curl("web", "-H", "x-secret: 4711-plain", url=f"http://{SERVICE[0]}/secret-path")[1], 200)
                                        for _ in range(5)])
        self.assertGreater(len(seen), 1000)
        for text in (b"4711-plain", b"secret-path", b"HTTP/1.1", b"far "):
            self.assertNotIn(text, seen)

    def test_certificate_that_expires_ends_what_goes_on(self):
        issued, life = time.monotonic(), 12
        self.ca.issue(self.a.identities / "web", "ns/two/sa/web", seconds=life)
        time.sleep(1.5)  # until it is taken over
        client = self.hold()
        client.wait(life + TIMEOUT)
        lasted = time.monotonic() - issued
        print(f"ended {lasted - life:.1f} s after its certificate did")
        self.assertGreater(lasted, life - 1, "it ended before")
        self.wait_status(503)
        self.assertIn("expired", self.a.text_of_log() + self.b.text_of_log())

    def test_root_that_is_removed_ends_what_goes_on(self):
        client = self.hold()
        twin = Authority(self.world.folder / "twin", name="twin")
        twin.issue(self.b.identities / "api", "ns/two/sa/api")
        began = time.monotonic()
        client.wait(TIMEOUT)
        print(f"ended {time.monotonic() - began:.1f} s after its root was removed")
        self.b.wait_log("[root-removed]")
        self.wait_status(503)
        # And back.
        self.ca.issue(self.b.identities / "api", "ns/two/sa/api")
        self.wait_status(200)

    def test_new_certificates_fail_no_request(self):
        client = self.hold()
        load = self.a.popen("web", [sys.executable, "-B", "-c", LOAD, str(600 if LONG else 12)], stdout=subprocess.PIPE, text=True)
        rounds = 0
        while load.poll() is None:
            for node, name in ((self.a, "web"), (self.b, "api")):
                self.ca.issue(node.identities / name, f"ns/two/sa/{name}", seconds=60)
            rounds += 1
            time.sleep(5 if LONG else 1)
        requests, failures = load.stdout.read().split()
        load.stdout.close()
        self.assertGreater(rounds, 3)
        self.assertEqual(failures, "0", self.a.text_of_log() + self.b.text_of_log())
        self.assertGreater(int(requests), 100)
        client.stdin.write("still\n")
        client.stdin.flush()
        self.assertEqual(client.stdout.readline(), "still\n")

    def test_broken_files_leave_what_was_in_use(self):
        key = self.a.identities / "web" / "key.pem"
        key.write_text("no key\n")
        self.a.wait_log("key.pem")
        self.assertEqual(self.get(), 200)
        self.assertIn("web", self.a.status())


HOLD = """
import socket, sys
s = socket.create_connection(("10.96.77.2", 5672), 20)
s.settimeout(None)
f = s.makefile("rb")
print(f.readline().decode(), end="", flush=True)
import threading
def up():
    for line in sys.stdin:
        s.sendall(line.encode())
threading.Thread(target=up, daemon=True).start()
try:
  while line := f.readline():
    print(line.decode(), end="", flush=True)
except OSError:
  pass
"""

LOAD = f"""
import http.client, sys, threading, time
end = time.monotonic() + float(sys.argv[1])
done = [0, 0]
lock = threading.Lock()
def work():
    while time.monotonic() < end:
        connection = http.client.HTTPConnection("{SERVICE[0]}", 80, timeout=20)
        try:
            for _ in range(50):
                connection.request("GET", "/x")
                answer = connection.getresponse()
                answer.read()
                with lock:
                    done[0] += 1
                    done[1] += answer.status != 200
                time.sleep(0.002)
        except Exception:
            with lock:
                done[1] += 1
        connection.close()
threads = [threading.Thread(target=work) for _ in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
print(*done)
"""


def capture(node, work):
    """All that the node's device carries meanwhile."""
    code = f"""
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(("{node.device}", 0))
s.settimeout(0.2)
print("ready", file=sys.stderr, flush=True)
import select
while True:
    readable, _, _ = select.select([s, sys.stdin], [], [])
    if s in readable:
        sys.stdout.buffer.write(s.recv(65536))
    elif sys.stdin in readable:
        break
"""
    process = subprocess.Popen(node.inside(sys.executable, "-c", code), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stderr.readline()
    found = []
    reader = threading.Thread(target=lambda: found.append(process.stdout.read()))
    reader.start()
    try:
        work()
        time.sleep(0.3)
    finally:
        process.stdin.close()
        process.wait(TIMEOUT)
        reader.join()
        process.stdout.close()
        process.stderr.close()
    return found[0]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        WORKERS = int(sys.argv.pop(1))
    unittest.main(verbosity=2)
