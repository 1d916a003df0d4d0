"""A mesh with checking servers in it (server/), and the process of the test as its workload `web`.

Servers run as processes below the cgroup root, as the fast path takes no others. Every World ends with the question whether
a server saw a byte that was not allowed.
"""
import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "handler"))
from mesh import BIN, TIMEOUT, Mesh, policy  # noqa: E402

PROGRAMS = pathlib.Path(os.environ["HEDDLE_BUILD_DIR"]) / "tests" / "bin"
LONG = bool(os.environ.get("HEDDLE_LONG"))

ENDPOINTS = ("v1=127.0.0.1:0", "v2=127.0.0.1:0", "v3=[::1]:0")

# What the servers check is this, once more: a path begins with the name of the endpoint or with `any`, and nothing that is
# denied arrives.
ACCESS = """deny from any when header "x-deny" present { label "header" }
  deny from any when path under "/v1/deny" or path under "/v2/deny" or path under "/any/deny" { label "path" }
  allow from web when path under "/v1" or path under "/v2" or path under "/v3" or path under "/any" or path under "/here\""""
ROUTE = """route echo {
  when path under "/here" -> respond 200 "hello from the mesh"
  when path under "/v1" -> v1
  when path under "/v2" -> v2
  when path under "/v3" -> v3
  when header "x-split" present -> split { 50% v1, 50% v2 }
  otherwise -> echo
}"""

# Requests that the program at the client passed to the handler, by reason; the names are those of `heddle status`.
PASSED = ("not_armed", "unread", "not_landed", "not_whole", "not_canonical", "answered", "no_link", "no_memory",
          "switched_off", "failed", "stalled")
LEAST_SHARE = 0.99


@dataclasses.dataclass
class Excuse:
    """Requests that need not be decided in the kernel: all that were passed for a reason, or so many of them."""

    reason: str
    why: str
    most: int | None = None


def first_requests(clients, endpoints=1):
    """Of a client the first request is the handler's, and so is its first one to each endpoint while there is no link."""
    return [Excuse("not_armed", "first request of a client", clients),
            Excuse("no_link", "first request of a client to an endpoint", 2 * clients * endpoints)]


class Server:
    """A checking server as a process of server.service."""

    def __init__(self, mesh, endpoints):
        self.process = mesh.popen("server", [PROGRAMS / "checking_server", *endpoints], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
        self.ports = json.loads(self.process.stdout.readline())
        self.lock = threading.Lock()

    def say(self, command):
        with self.lock:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def close(self):
        self.process.stdin.close()
        self.process.wait(TIMEOUT)
        self.process.stdout.close()


class Servers:
    """A process for each endpoint: one that is busy or asleep holds up no other. Or, not `apart`, one for all."""

    def __init__(self, mesh, endpoints, apart):
        self.all = [Server(mesh, some) for some in ([[each] for each in endpoints] if apart else [endpoints])]
        self.of = {name: server for server in self.all for name in server.ports}
        self.ports = {name: port for server in self.all for name, port in server.ports.items()}

    def say(self, command):
        """To the endpoint that the command names, else to all: their numbers add up."""
        words = command.split()
        if len(words) > 1:
            return self.of[words[1]].say(command)
        return functools.reduce(add_up, [server.say(command) for server in self.all])

    def statistics(self):
        return self.say("statistics")

    def wait(self, condition, what):
        """Until the statistics are so."""
        end = time.monotonic() + TIMEOUT
        while not condition(found := self.statistics()):
            if time.monotonic() > end:
                raise AssertionError(f"never: {what}: {found}")
        return found

    def alive(self):
        return all(server.process.poll() is None for server in self.all)

    def kill(self):
        for server in self.all:
            server.kill()

    def close(self):
        for server in self.all:
            server.close()


def add_up(one, other):
    """What two servers say. `most_open` is a maximum, and texts are those of the first that has one."""
    if not isinstance(one, dict):
        return one + other
    return {name: max(value, other[name]) if name == "most_open" else value + other[name] if isinstance(value, int)
            else value or other[name] for name, value in one.items()}


class World(Mesh):
    def __init__(self, endpoints=ENDPOINTS, access=ACCESS, route=ROUTE, extra="", workers=2, text=None, apart=True):
        self.access, self.route, self.extra = access, route, extra
        self.endpoints, self.apart = endpoints, apart
        self.servers = None
        self.violations = 0  # that were reported
        self.number_of_workers = workers
        self.home = own_cgroup()
        super().__init__(lambda _: text(self) if text else self.policy(), workers)
        self.enter("web")

    def start_servers(self):
        """Their addresses, in the order of the endpoints; ports are kept when they start once more."""
        endpoints = self.endpoints
        if self.servers:
            endpoints = [f"{each.rpartition(':')[0]}:{self.servers.ports[each.partition('=')[0]]}" for each in endpoints]
        self.servers = Servers(self, endpoints, self.apart)
        self.violations = 0

    def addresses(self):
        if not self.servers:
            self.start_servers()
        return [f"{each.partition('=')[2].rpartition(':')[0]}:{self.servers.ports[each.partition('=')[0]]}"
                for each in self.endpoints]

    def policy(self, **other):
        return policy(self.addresses(), access=other.get("access", self.access), route=other.get("route", self.route),
                      extra=other.get("extra", self.extra))

    def enter(self, workload):
        """From here on this process, with all its threads, is the workload."""
        (self.root / f"{workload}.service" / "cgroup.procs").write_text(str(os.getpid()))

    def leave(self):
        self.home.joinpath("cgroup.procs").write_text(str(os.getpid()))

    def start(self, bundle, workers=2, **options):
        procs = self.home / "cgroup.procs"
        super().start(bundle, workers, preexec_fn=lambda: procs.write_text(str(os.getpid())), **options)

    def status_now(self):
        done = subprocess.run([BIN / "heddle", "status", "--format", "json", "--control", self.control],
                              capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def fast_path(self):
        """What `heddle status` says of it; None while this build has none."""
        return self.status_now().get("fast_path")

    @contextlib.contextmanager
    def on_fast_path(self, test, *excuses, least=LEAST_SHARE):
        """Sees that what happens meanwhile is decided in the kernel, but for what is excused."""
        before = self.fast_path()
        yield
        expect_share(test, before, self.fast_path(), excuses, least)

    def expect_checked(self, test):
        found = self.servers.statistics()
        new, self.violations = found["violations"] - self.violations, found["violations"]
        test.assertEqual(new, 0, f"a server saw what was not allowed; the first was: {found['first_violation']}")
        return found

    def close(self):
        self.leave()
        if self.servers and self.servers.alive():
            self.servers.close()
        super().close()


def eventually(test, condition, what):
    end = time.monotonic() + TIMEOUT
    while not (value := condition()):
        test.assertLess(time.monotonic(), end, f"never: {what}")
        time.sleep(0.02)  # between two looks
    return value


def own_cgroup():
    from machine import cgroup_mount

    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        if line.startswith("0::"):
            return cgroup_mount() / line[3:].strip("/")
    raise SystemExit("this process is in no cgroup v2")


def expect_share(test, before, after, excuses, least):
    """Prints the share of requests that the kernel decided, and fails below `least`."""
    name = test.id().rpartition("__main__.")[2]
    if after is None:
        raise AssertionError("`heddle status` does not know the fast path")
    if not after["on"]:
        raise AssertionError(f"the fast path is off: {after['reason']}")
    count = {each: after.get(each, 0) - before.get(each, 0) for each in ("requests", *PASSED)}
    rest = {each: count[each] for each in PASSED}
    lines = []
    for excuse in excuses:
        excused = rest[excuse.reason] if excuse.most is None else min(rest[excuse.reason], excuse.most)
        rest[excuse.reason] -= excused
        if excused:
            lines.append(f"{excused} {excuse.reason} ({excuse.why})")
    passed = sum(rest.values())
    share = count["requests"] / max(1, count["requests"] + passed)
    print(f"{name}: {100 * share:.2f} % decided in the kernel: {count['requests']} requests, {passed} passed"
          + "".join(f", {rest[each]} {each}" for each in PASSED if rest[each])
          + (f"; excused: {'; '.join(lines)}" if lines else ""), flush=True)
    test.assertGreater(count["requests"], 0, "no request was decided in the kernel")
    test.assertGreaterEqual(share, least, rest)


def attack(*arguments):
    """What the client program (client/) found, from within the workload that this process is."""
    done = subprocess.run([PROGRAMS / "attack_client", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"attack_client {arguments}: {done.returncode} {done.stderr}")
    return json.loads(done.stdout)


class Case(unittest.TestCase):
    """Tests over one World; it is asked at the end of each what its servers saw."""

    world_options = {}

    @classmethod
    def setUpClass(cls):
        cls.world = World(**cls.world_options)

    @classmethod
    def tearDownClass(cls):
        cls.world.close()

    def tearDown(self):
        self.world.expect_checked(self)
        # With the path off, everything here would be the handler's.
        found = self.world.fast_path()
        self.assertTrue(found["on"], found.get("reason"))
