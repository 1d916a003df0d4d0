"""One sample: so many connections, so many seconds, through one contender. A sample is a dict of figures."""

import collections
import dataclasses
import json
import pathlib

import check
import servers
from scratch import TOOLS, CannotMeasure, WrongResponse, run

LUA = pathlib.Path(__file__).parent / "wrk.lua"


@dataclasses.dataclass(frozen=True)
class Load:
    path: str = servers.ITEM
    headers: tuple = ()  # besides Host

    @property
    def request(self):
        return check.head(self.path, self.headers)


def padded(size):
    """A load whose request head has this size, with headers as a browser sends them."""
    headers = [("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
               ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
               ("Accept-Language", "en-GB,en;q=0.5"), ("Accept-Encoding", "gzip, deflate, br"),
               ("Referer", "http://items.bench.example/catalogue?page=3")]
    missing = size - len(Load(headers=tuple(headers)).request)
    line = len("Cookie: \r\n")
    headers.append(("Cookie", "; ".join(f"session{i:03}={i:024x}" for i in range(100))[:missing - line]))
    load = Load(headers=tuple(headers))
    assert len(load.request) == size
    return load


LARGE = Load(path=servers.FILE)
CLOSING = Load(headers=(("Connection", "close"),))


def wrk(contender, load, connections, seconds, sizes):
    """As fast as it goes: the next request of a connection when the last one is answered."""
    before = contender.fast_path()
    headers = [word for name, value in (("Host", "items"), *load.headers) for word in ("-H", f"{name}: {value}")]
    output = run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", LUA, *headers,
                  f"http://{contender.address}:{contender.port}{load.path}"], contender.cgroup)
    line = next((line for line in output.splitlines() if line.startswith("result ")), None)
    if line is None:
        raise CannotMeasure(f"wrk says nothing: {output[-300:]}")
    figures = json.loads(line.removeprefix("result "))
    if figures["requests"] == 0:
        raise CannotMeasure(f"{contender.name}: not one request was answered")
    if figures["failed"]:
        raise WrongResponse(f"{contender.name}: {figures['failed']} of {figures['requests']} requests failed under load")
    # The last response of each connection may have come in part; more or less than that was no right response.
    least, greatest = (figures["requests"] * size for size in sizes)
    partial = connections * max(sizes)
    if not least - partial <= figures["bytes"] <= greatest + partial:
        raise WrongResponse(f"{contender.name}: {figures['bytes']} bytes in {figures['requests']} responses of {sizes}")
    return {"throughput": figures["requests"] * 1e6 / figures["microseconds"], "p50": figures["p50_us"],
            "p99": figures["p99_us"], **_decided(contender, before, figures["requests"] - connections)}


def pace(scratch, contender, load, connections, seconds, rate, spin_us=0):
    """At a fixed rate, latencies counted from when a request was due."""
    before = contender.fast_path()
    request = scratch.file("request", load.request)
    bodies = [servers.LARGE] if load is LARGE else servers.SMALL.values()
    files = [scratch.file(f"body{number}", body) for number, body in enumerate(bodies)]
    command = [TOOLS / "bench_pace", "--address", contender.address, "--port", contender.port, "--connections", connections,
               "--rate", f"{rate:.1f}", "--seconds", seconds, "--spin-us", spin_us, "--request", request]
    try:
        figures = json.loads(run([*command, *(word for file in files for word in ("--body", file))], contender.cgroup))
    except CannotMeasure as error:
        raise WrongResponse(f"{contender.name}: {error}") from None
    # The counter of the node counts from the beginning, also what the warm-up asked for.
    return {"p50": figures["p50_us"], "p99": figures["p99_us"], "p99.9": figures["p999_us"],
            "cpu": figures["cpu_seconds"] * 1e6 / max(figures["answered_in_time"], 1),
            "kept": figures["answered_in_time"] / figures["asked"], **_decided(contender, before, figures["sent"] - connections)}


def _decided(contender, before, requests):
    """Of how many requests how many were decided in the kernel, and what the fast path counted besides. `requests` leaves out
    the first one of each connection: that one is always the handler's."""
    if not contender.mesh:
        return {}
    counted = {name: count - before.get(name, 0) for name, count in contender.fast_path().items()}
    counted.pop("responses", None)
    return {"decided": counted.pop("requests", 0), "decidable": max(requests, 1),
            "besides": {name: count for name, count in counted.items() if count}}


def share(samples):
    """Of all rounds together; None: of somebody who decides nothing in the kernel."""
    if "decided" not in samples[0]:
        return None
    return min(1, sum(sample["decided"] for sample in samples) / sum(sample["decidable"] for sample in samples))


def besides(samples):
    total = collections.Counter()
    for sample in samples:
        total.update(sample["besides"])
    return ", ".join(f"{name} {count}" for name, count in total.most_common())
