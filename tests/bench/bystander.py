"""The row `bystander`: a client and a server that are no workloads, below a governed cgroup, where the hooks run for them too;
in turn with Heddle on the machine and without."""

import contextlib

import check
import results
import servers
from contenders import Contender
from load import CLOSING, Load, wrk
from mesh import Mesh
from scratch import free_ports

CONNECTIONS, SECONDS, REACH = 16, 1, 0.99
ROUNDS = 2  # for each round of other rows: 1% is a small difference
CASES = (("throughput", Load()), ("new connections", CLOSING))


def measure(bench, _row):
    with contextlib.ExitStack() as ends:
        mesh = ends.enter_context(Mesh())
        place = mesh.cgroup("stranger")
        bundle = mesh.compile(free_ports(2))
        server = servers.start_servers(bench.scratch, "servers-bystander", place, free_ports(2))
        ends.callback(server.stop)
        stranger = Contender("bystander", "127.0.0.1", server.ports[0], place, decides=False)
        sizes = {name: check.check(stranger, load.request) for name, load in CASES}

        def sample():
            return {name: wrk(stranger, load, CONNECTIONS, bench.seconds or SECONDS, sizes[name])["throughput"]
                    for name, load in CASES}

        ratios = {name: [] for name, _ in CASES}
        for number in range(bench.rounds * ROUNDS):
            bench.say(f"bystander: round {number + 1} of {bench.rounds * ROUNDS}")
            without = sample()
            mesh.up(bundle)
            beside = sample()
            check.check(stranger, Load().request)
            mesh.down()
            for name in ratios:
                ratios[name].append(beside[name] / without[name])
    return [results.judged("bystander", f"{name} at {CONNECTIONS}", "none", each, REACH, more_is_better=True)
            for name, each in ratios.items()]
