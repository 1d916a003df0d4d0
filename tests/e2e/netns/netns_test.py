"""Workloads in network namespaces of their own, as containers are: governed and served like all others."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "handler"))
from mesh import BIN, TIMEOUT, Mesh, policy  # noqa: E402

CONTAINER = str(pathlib.Path(__file__).parent / "container.py")
TAG = f"{os.getpid() % 100000}"
SUBNET = 100 + os.getpid() % 100
V4, V6 = f"10.211.{SUBNET}", f"fd00:211:{SUBNET:x}"

ACCESS = """deny from any when path under "/v1/deny" or path under "/v2/deny" { label "path" }
  allow from web when path under "/v1" or path under "/v2" or path under "/v3" or path under "/v4" or path under "/v5\""""
ROUTE = """route echo {
  when path under "/v1" -> v1
  when path under "/v2" -> v2
  when path under "/v3" -> v3
  when path under "/v4" -> v4
  when path under "/v5" -> v5
  otherwise -> echo
}"""


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


class Container:
    """A process of a workload; `own`: in a network namespace of its own. `prefix` comes before its command."""

    made = 0

    def __init__(self, mesh, workload, own=True, loopback=True, prefix=()):
        command = [*prefix, *(["unshare", "-n"] if own else []), sys.executable, "-B", CONTAINER]
        self.process = mesh.popen(workload, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.read()
        self.veth = None
        if own and loopback:
            self("run", "ip", "link", "set", "lo", "up")

    def read(self):
        return json.loads(self.process.stdout.readline())

    def send(self, op, *positional, **named):
        self.process.stdin.write(json.dumps({"op": op, "positional": positional, "named": named}) + "\n")
        self.process.stdin.flush()

    def __call__(self, op, *positional, **named):
        self.send(op, *positional, **named)
        return self.read()

    def inode(self):
        return os.stat(f"/proc/{self.process.pid}/ns/net").st_ino

    def join_node(self):
        """A pair of devices between its namespace and the node's. Its address is .2 in a network of four."""
        Container.made += 1
        number, self.veth = Container.made, f"hdl{TAG}n{Container.made}"
        four, six = f"{V4}.{4 * number}", f"{V6}:{number:x}"
        self.four, self.six = f"{V4}.{4 * number + 2}", f"{six}::2"
        ip("link", "add", self.veth, "type", "veth", "peer", "name", "eth0", "netns", str(self.process.pid))
        ip("addr", "add", f"{V4}.{4 * number + 1}/30", "dev", self.veth)
        ip("addr", "add", f"{six}::1/64", "dev", self.veth, "nodad")
        ip("link", "set", self.veth, "up")
        self("run", "ip", "addr", "add", f"{self.four}/30", "dev", "eth0")
        self("run", "ip", "addr", "add", f"{self.six}/64", "dev", "eth0", "nodad")
        self("run", "ip", "link", "set", "eth0", "up")
        return four

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.terminate()
        self.process.wait(TIMEOUT)


class World(Mesh):
    """A server in the node's namespace (v1; with listeners of Multipath TCP v4 and v5) and one in another (v2 and v3, by its
    two families)."""

    def __init__(self):
        self.containers = []
        super().__init__(lambda _: self.text())

    def text(self):
        self.local = Container(self, "server", own=False)
        self.remote = Container(self, "server")
        self.containers += [self.local, self.remote]
        self.remote.join_node()
        ports = (self.local("serve", "one", "4", "127.0.0.1"), self.remote("serve", "two", "4", "0.0.0.0"),
                 self.remote("serve", "three", "6", self.remote.six),
                 self.local("serve", "four", "4", "127.0.0.1", mptcp=True), self.local("serve", "five", "6", "::1", mptcp=True))
        return policy((f"127.0.0.1:{ports[0]}", f"{self.remote.four}:{ports[1]}", f"[{self.remote.six}]:{ports[2]}",
                       f"127.0.0.1:{ports[3]}", f"[::1]:{ports[4]}"), access=ACCESS, route=ROUTE)

    @contextlib.contextmanager
    def container(self, workload, **options):
        made = Container(self, workload, **options)
        try:
            yield made
        finally:
            made.close()

    def status_now(self):
        done = subprocess.run([BIN / "heddle", "status", "--format", "json", "--control", self.control],
                              capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def place_of(self, container):
        """What `heddle status` says of its namespace."""
        inode = container.inode()
        return next((each for each in self.status_now()["namespaces"] if each["inode"] == inode), None)

    def wait(self, condition, what, patience=TIMEOUT):
        end = time.monotonic() + patience
        while not (found := condition()):
            if time.monotonic() > end:
                raise AssertionError(f"never: {what}: {self.status_now()['namespaces']}\n{self.text_of_log()}")
            time.sleep(0.01)
        return found

    def wait_served(self, container):
        return self.wait(lambda: (place := self.place_of(container)) and place["ipv4"] and place, "served")

    def start(self, bundle, workers=2, **options):
        self.bundle = bundle
        super().start(bundle, workers, **options)

    def close(self):
        for each in self.containers:
            each.close()
        super().close()


class Namespaces(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World()

    @classmethod
    def tearDownClass(cls):
        cls.world.close()

    def expect(self, found, status, body, count=1):
        self.assertIsInstance(found, dict, found)
        self.assertEqual([tuple(each) for each in found["answers"]],
                         [(status, body and f"{body}/{number}") if body else (status, found["answers"][number][1])
                          for number in range(count)])

    def expect_fast(self, client, target, server, count=400, **options):
        """All right, and almost all of it decided in the kernel."""
        state = self.world.status_now()["fast_path"]
        self.assertTrue(state["on"], state["reason"])
        self.expect(client("get", target=target, count=8, **options), 200, f"{server} {target}", 8)
        before = self.world.status_now()["fast_path"]["requests"]
        self.expect(client("get", target=target, count=count, **options), 200, f"{server} {target}", count)
        share = (self.world.status_now()["fast_path"]["requests"] - before) / (count - 1)  # the first is the handler's
        print(f"{self.id().rpartition('.')[2]} {options.get('family', '4')} {target}: {100 * share:.2f} % of "
              f"{count - 1} requests decided in the kernel", flush=True)
        self.assertGreaterEqual(share, 0.99)

    def test_client_in_a_namespace_server_on_the_nodes_loopback(self):
        with self.world.container("web") as client:
            place = self.world.wait_served(client)
            self.assertEqual((place["pid"], place["problem"]), (client.process.pid, ""))
            for family in ("4", "6", "mapped"):
                self.expect_fast(client, "/v1/a", "one", family=family)
            self.expect(client("get", target="/v1/deny/x", count=20), 403, None, 20)
            self.expect(client("get", family="6", target="/v1/deny/x", count=20), 403, None, 20)

    def test_client_and_server_in_namespaces(self):
        with self.world.container("web") as client:
            client.join_node()
            self.world.wait_served(client)
            self.expect_fast(client, "/v2/a", "two")
            self.expect_fast(client, "/v3/a", "three", family="6")
            self.expect_fast(client, "/v3/b", "three", family="4")
            self.expect(client("get", target="/v2/deny/x", count=20), 403, None, 20)

    def test_client_on_the_node_server_in_a_namespace(self):
        with self.world.container("web", own=False) as client:
            self.expect_fast(client, "/v2/a", "two")
            self.expect_fast(client, "/v3/a", "three", family="6")

    def test_somebody_else_stays_denied(self):
        with self.world.container("foe") as foe, self.world.container("stranger") as stranger:
            self.world.wait_served(foe)
            self.expect(foe("get", target="/v1/a", count=50), 403, None, 50)
            self.assertIsNone(self.world.place_of(stranger), "listeners where no workload is")

    def test_equal_addresses_in_three_namespaces_do_not_mix(self):
        with self.world.container("web") as web, self.world.container("foe") as foe, \
             self.world.container("web") as other:
            ports = {self.world.wait_served(each)["ipv4"] for each in (web, foe, other)}
            self.assertEqual(len(ports), 1, "not on one port everywhere: the addresses differ")
            for each, target in ((web, "/v1/web"), (foe, "/v1/foe"), (other, "/v2/other")):
                each.send("get", target=target, count=300, source_port=43210, pause=0.001)
            found = [each.read() for each in (web, foe, other)]
            self.assertEqual([each["name"] for each in found], [["127.0.0.1", 43210]] * 3)
            self.expect(found[0], 200, "one /v1/web", 300)
            self.expect(found[1], 403, None, 300)
            self.expect(found[2], 200, "two /v2/other", 300)

    def test_a_new_namespace_is_served_at_once(self):
        took = []
        for number in range(5):
            with self.world.container("web") as client:
                took.append(client("wait_served")["seconds"])
        print(f"served after {', '.join(f'{1000 * each:.1f}' for each in took)} ms", flush=True)
        self.assertLess(sorted(took)[2], 0.1)

    def test_processes_that_are_gone_when_they_are_missed(self):
        """A namespace that only has a name, and clients that end as soon as they are refused."""
        name = f"hdl{TAG}"
        ip("netns", "add", name)
        try:
            ip("-n", name, "link", "set", "lo", "up")
            once = ["ip", "netns", "exec", name, "curl", "-sS", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}",
                    "http://10.96.7.1/v1/x"]
            end = time.monotonic() + 5
            while self.world.run("web", once)[1] != b"200":
                self.assertLess(time.monotonic(), end, self.world.text_of_log())
        finally:
            ip("netns", "del", name)

    def test_loopback_that_is_down(self):
        with self.world.container("web", loopback=False) as client:
            place = self.world.wait(lambda: self.world.place_of(client), "seen")
            self.assertEqual((place["ipv4"], place["problem"]), (0, "the loopback device `lo` is down"))
            self.assertEqual(client("get"), "Connection refused")
            self.assertIn("`lo` is down", self.world.text_of_log())
            self.assertIn("`lo` is down", self.world.status())
            client("run", "ip", "link", "set", "lo", "up")
            self.assertLess(client("wait_served")["seconds"], 1)
            self.assertEqual(self.world.place_of(client)["problem"], "")

    def test_nothing_is_left(self):
        """The devices of a namespace go with it: our listeners do not keep it alive."""
        def descriptors():
            return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in (self.world.agent.pid, *self.world.workers()))

        self.world.wait(lambda: not [each for each in self.world.status_now()["namespaces"]
                                     if each["inode"] != self.world.remote.inode()], "the others have gone")
        before = descriptors()
        with self.world.container("web") as client:
            client.join_node()
            self.world.wait_served(client)
            inode = client.inode()
            self.expect_fast(client, "/v2/a", "two", count=200)
            self.assertGreater(descriptors(), before)
        self.world.wait(lambda: all(each["inode"] != inode for each in self.world.status_now()["namespaces"]), "forgotten")
        device = pathlib.Path("/sys/class/net") / client.veth
        self.world.wait(lambda: not device.exists(), "the namespace has gone")
        self.world.wait(lambda: descriptors() <= before, "descriptors are closed")

    def test_workers_and_agent_that_start_again(self):
        with self.world.container("web") as client:
            self.world.wait_served(client)
            for pid in self.world.workers():
                os.kill(pid, signal.SIGKILL)
            self.assertLess(client("wait_served", patience=10)["seconds"], 10)
            self.expect_fast(client, "/v1/a", "one")

            self.world.agent.kill()
            self.world.agent.wait()
            self.assertEqual(client("get"), "Connection refused")
            self.world.start(self.world.bundle)
            self.assertTrue(self.world.status_now()["adopted"])
            self.world.wait_served(client)
            self.expect_fast(client, "/v1/b", "one")
            self.expect(client("get", target="/v1/deny/x", count=5), 403, None, 5)

    def test_multipath_tcp_is_judged_like_tcp(self):
        with self.world.container("web", own=False) as client, self.world.container("web") as contained:
            self.world.wait_served(contained)
            for each in (client, contained):
                for family in ("4", "6"):
                    before = self.world.status_now()["fast_path"]
                    self.expect(each("get", family=family, target="/v1/a", count=30, mptcp=True), 200, "one /v1/a", 30)
                    self.expect(each("get", family=family, target="/v1/deny/x", count=3, mptcp=True), 403, None, 3)
                    after = self.world.status_now()["fast_path"]
                    for count in ("requests", "not_enrolled"):
                        self.assertEqual(after[count], before[count], "it was to come into a map of sockets")

    def test_server_with_a_listener_of_multipath_tcp(self):
        """As Go makes them. Old kernels forget whose socket it is when it is in a map: there it stays out."""
        release = tuple(int(part) for part in os.uname().release.split(".")[:2])
        with self.world.container("web") as client:
            self.world.wait_served(client)
            for target, server in (("/v4/a", "four"), ("/v5/a", "five")):
                if release >= (6, 18):
                    self.expect_fast(client, target, server)
                    continue
                before = self.world.status_now()["fast_path"]["requests"]
                self.expect(client("get", target=target, count=50), 200, f"{server} {target}", 50)
                self.assertEqual(self.world.status_now()["fast_path"]["requests"], before)


if __name__ == "__main__":
    unittest.main(verbosity=2)
