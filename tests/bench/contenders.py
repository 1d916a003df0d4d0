"""Who is compared: each a place where the client connects to, and a cgroup that the client has to be in. What stands between
client and servers is started once, when it is first asked for, and stays; idle, it costs nobody anything."""

import dataclasses
import pathlib
import subprocess
import typing

import servers
from mesh import ITEMS, RULES, Mesh
from peers import start_peer
from scratch import TOOLS, CannotMeasure, free_ports, launch, stop

NAMES = ("none", "ceiling", "heddle", "handler", "nginx", "haproxy", "envoy")


@dataclasses.dataclass
class Contender:
    name: str
    address: str
    port: int
    cgroup: pathlib.Path  # of the client
    decides: bool = True  # it knows the policy: refuses, answers itself, and takes both servers
    mesh: typing.Optional[Mesh] = None
    processes: tuple = ()
    note: str = ""  # what a reader of its figures has to know

    def fast_path(self):
        return self.mesh.fast_path() if self.mesh else {}


class Contenders:
    def __init__(self, scratch, ends, texts=None):
        """`ends`: the stack on which everything that is started leaves how it is ended. `texts`: of the servers."""
        self.scratch = scratch
        self.ends = ends
        self.texts = texts
        self.made = {}
        self.shared = {}

    def get(self, name):
        """CannotMeasure: it cannot be had, now or later."""
        if name not in self.made:
            try:
                self.made[name] = getattr(self, f"_make_{name}")()
            except CannotMeasure as error:
                self.made[name] = error
        made = self.made[name]
        if isinstance(made, CannotMeasure):
            raise made
        for process in (*made.processes, *([made.mesh.agent] if made.mesh else [])):
            if process.poll() is not None:
                raise CannotMeasure(f"it ended with {process.returncode} since the row before")
        return made

    def servers(self, name, cgroup):
        started = servers.start_servers(self.scratch, f"servers-{name}", cgroup, free_ports(2), self.texts)
        self.ends.callback(started.stop)
        return started

    def _once(self, key, make):
        if key not in self.shared:
            self.shared[key] = make()
        return self.shared[key]

    def plain_servers(self):
        """In no mesh, for all who need none."""
        return self._once("plain", lambda: self.servers("plain", self.scratch.cgroup("plain")))

    def mesh(self):
        return self._once("mesh", self._start_mesh)

    def _start_mesh(self):
        mesh = self.ends.enter_context(Mesh())
        for name in ("client", "slow", "server"):
            mesh.cgroup(name)
        ports = free_ports(2)
        mesh.up(mesh.compile(ports))
        started = servers.start_servers(self.scratch, "servers-mesh", mesh.cgroup("server"), ports, self.texts)
        self.ends.callback(started.stop)
        return mesh

    def _make_none(self):
        return Contender("none", "127.0.0.1", self.plain_servers().ports[0], self.scratch.cgroup("plain"), decides=False)

    def _make_ceiling(self):
        cgroup = self.scratch.cgroup("ceiling")
        loader = launch([TOOLS / "bench_ceiling", cgroup], self.scratch.root, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE, text=True)
        self.ends.callback(stop, loader)
        if loader.stdout.readline() != "ready\n":
            raise CannotMeasure(f"the ceiling cannot be attached: {loader.stderr.read().strip()}")
        return Contender("ceiling", "127.0.0.1", self.servers("ceiling", cgroup).ports[0], cgroup, decides=False)

    def _make_heddle(self):
        mesh = self.mesh()
        return Contender("heddle", ITEMS, 80, mesh.cgroup("client"), mesh=mesh)

    def _make_heddle_rules(self):
        mesh = self.mesh()
        note = "" if mesh.knows_timeout else "without `timeout`, which this language does not have yet"
        return Contender("heddle_rules", RULES, 80, mesh.cgroup("client"), decides=False, mesh=mesh, note=note)

    def _make_handler(self):
        mesh = self.mesh()
        if not mesh.knows_opt_out:
            raise CannotMeasure("this language has no `fast_path off` yet")
        return Contender("handler", ITEMS, 80, mesh.cgroup("slow"), mesh=mesh)

    def _make_peer(self, name):
        port = free_ports(1)[0]
        process = start_peer(name, self.scratch, self.scratch.cgroup("plain"), port, self.plain_servers().ports)
        self.ends.callback(stop, process)
        return Contender(name, "127.0.0.1", port, self.scratch.cgroup("plain"), processes=(process,))

    def _make_nginx(self):
        return self._make_peer("nginx")

    def _make_haproxy(self):
        return self._make_peer("haproxy")

    def _make_envoy(self):
        return self._make_peer("envoy")
