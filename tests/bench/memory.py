"""The row `memory`: processes and maps, idle; what a further idle connection takes; and the processes of others."""

import contextlib
import pathlib
import subprocess
import sys

import bpf_maps
import results
import servers
from mesh import Mesh, compile_folder
from scratch import SOURCE, CannotMeasure, WrongResponse, launch, stop

MIB_REACH, KIB_PER_CONNECTION_REACH = 24, 2
FEW, MANY = 200, 2200
BOOKINFO = SOURCE / "examples" / "bookinfo"


def private_bytes(pid):
    """PSS without what is memory of a map: that is counted with the maps."""
    total, counts = 0, True
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if line.startswith("Pss:"):
            total += int(line.split()[1]) * 1024 if counts else 0
        elif "-" in line.split(" ", 1)[0]:
            counts = "bpf-map" not in line
    return total


def family(pid):
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in family(int(child)))]


def processes_of(pid):
    return sum(private_bytes(each) for each in family(pid))


def measure(bench, _row):
    bench.say("memory: idle")
    idle, idle_note = _idle()
    bench.say("memory: idle connections")
    each, each_note = _per_connection(bench)
    return [_absolute("MiB idle", idle, MIB_REACH, idle_note),
            _absolute("KiB for each idle connection", each, KIB_PER_CONNECTION_REACH, each_note), *_others(bench, idle)]


def _absolute(case, value, reach, note):
    """Not a ratio, but what it is measured in stands in the case."""
    result = results.judged("memory", case, "self", [value], reach, more_is_better=False)
    result.note = note
    return result


def _idle():
    with contextlib.ExitStack() as ends:
        mesh = ends.enter_context(Mesh(workers=2))
        bundle = compile_folder(mesh, BOOKINFO / "policy", BOOKINFO / "env")
        before = bpf_maps.ids()
        mesh.up(bundle)
        processes = processes_of(mesh.agent.pid)
        sizes = {number: bpf_maps.size(number) for number in bpf_maps.ids() - before}
        mesh.down()
        # What is still there is somebody else's.
        maps = sum(sizes[number] or 0 for number in bpf_maps.gone(set(sizes)))
    return (processes + maps) / 2**20, f"heddled and two workers {processes / 2**20:.1f}, maps {maps / 2**20:.1f}"


def _per_connection(bench):
    """From the slope: what the first connections take once is none of a connection's."""
    heddle = bench.contenders.get("heddle")
    pid = heddle.mesh.agent.pid

    def taken(count):
        with _idle_connections(heddle, count):
            return processes_of(pid), sum(bpf_maps.size(number) or 0 for each in family(pid) for number in bpf_maps.held_by(each))

    few, many = taken(FEW), taken(MANY)
    processes, maps = ((b - a) / 1024 / (MANY - FEW) for a, b in zip(few, many))
    return processes + maps, f"processes {processes:.2f}, maps {maps:.2f}"


@contextlib.contextmanager
def _idle_connections(contender, count):
    """Each has had one response."""
    client = launch([sys.executable, "-B", __file__, contender.address, contender.port, count], contender.cgroup,
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        line = client.stdout.readline().strip()
        if line != f"{count} answered":
            raise WrongResponse(f"{contender.name}: of {count} idle connections: {line or 'no answer'}")
        yield
    finally:
        stop(client)


def _others(bench, ours):
    """Shown: their processes, idle, with the policy that they have in the other rows."""
    for name in ("envoy", "haproxy", "nginx"):
        try:
            theirs = processes_of(bench.contenders.get(name).processes[0].pid) / 2**20
            yield results.judged("memory", f"idle, {name} {theirs:.0f} MiB", name, [ours / theirs], None, more_is_better=False)
        except CannotMeasure as error:
            yield results.missing("memory", "idle", name, None, str(error))


def hold_connections(address, port, count):
    """The program: opens connections, has one response on each, and keeps them until it is ended."""
    import resource
    import socket

    import check

    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, max(count + 100, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    peers = [socket.create_connection((address, port), 10) for _ in range(count)]
    right = {text.encode() for text in servers.SMALL.values()}
    answered = 0
    for peer in peers:
        peer.sendall(check.head(servers.ITEM).encode())
        status, body, _ = check.receive_response(peer)
        answered += status == 200 and body in right
    print(f"{answered} answered", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    hold_connections(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
