"""The rows `compile_…`: how long `heddle build` takes for large policies, every check but the kernel's included, and how large the
bundle is. The policies are written here; what they decide is tested elsewhere."""

import pathlib
import subprocess
import tempfile
import time

import results
from scratch import BIN, CannotMeasure

MIB = 1024 * 1024

HEAD = """mesh large {
  trust_domain "large.example"
}
identity web = spiffe "ns/large/web"
workload web {
  cgroup "large/web"
  identity web
}
service s {
  address 10.96.0.1:80
  protocol http
  transport plaintext
  subset v1 where version is "v1"
  subset v2 where version is "v2"
  balance round_robin
  endpoint 10.1.0.1:9000 { version "v1" }
  endpoint 10.1.0.2:9000 { version "v2" }
}
access s { allow from any }
route s {
"""


def mixed(number):
    """No two are equal; every kind of test of a string, methods, headers, hosts and callers, with `and`, `or` and `not`."""
    path, header = f"/team-{number % 37}/app-{number}", f'header "x-h{number % 20}" is "v{number}"'
    host = f'host is "h{number % 50}.example"'
    return (f'path is "{path}"',
            f'path under "{path}" and method is GET',
            f'path starts "{path}" and ({host} or {header})',
            f"not {host} and {header}",
            f'path like "/team-{number % 37}/{{any}}/{number}" and from web',
            f'path is "{path}/x" or ({host} and {header} and method is POST)')[number % 6]


def expression(number):
    return rf"path matches /\/team-{number % 37}\/(app|job)-{number}(\/[a-z0-9]+)*\/v\d+/"


POLICIES = {"compile_routes_1000": (1000, mixed), "compile_routes_10000": (10000, mixed), "compile_regexes_1000": (1000, expression)}


def policy_text(count, condition):
    rules = (f"  when {condition(number)} -> v{number % 2 + 1}\n" for number in range(count))
    return HEAD + "".join(rules) + "  otherwise -> v1\n}\n"


def measure(bench, row):
    seconds = []
    with tempfile.TemporaryDirectory(prefix="heddle-bench-") as name:
        folder = pathlib.Path(name)
        (folder / "policy.mesh").write_text(policy_text(*POLICIES[row.name]))
        bundle = folder / "large.bundle"
        for number in range(bench.rounds):
            bench.say(f"{row.name}: round {number + 1} of {bench.rounds}")
            seconds.append(_build(folder, bundle))
        values = {"seconds": seconds, "MiB": [bundle.stat().st_size / MIB]}
    return [results.judged(row.name, verdict.label, verdict.against, values[verdict.quantity],
                           verdict.reach and verdict.reach[0], verdict.more_is_better) for verdict in row.verdicts]


def _build(folder, bundle):
    began = time.monotonic()
    done = subprocess.run([BIN / "heddle", "build", folder / "policy.mesh", "-o", bundle, "--verify", "off"], capture_output=True,
                          text=True)
    if done.returncode != 0:
        raise CannotMeasure(f"heddle build: {done.stderr.strip()[:600]}")
    return time.monotonic() - began
