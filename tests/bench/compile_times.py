"""The rows `compile_…`: how long `heddle build` takes for large policies, every check but the kernel's included, and how large the
bundle is. What they decide is tested elsewhere."""

import pathlib
import subprocess
import tempfile
import time

import results
from large import expression, mixed, policy_text
from scratch import BIN, CannotMeasure

MIB = 1024 * 1024

POLICIES = {"compile_routes_1000": (1000, mixed), "compile_routes_10000": (10000, mixed), "compile_regexes_1000": (1000, expression)}


def measure(bench, row):
    seconds = []
    with tempfile.TemporaryDirectory(prefix="heddle-bench-") as name:
        folder = pathlib.Path(name)
        (folder / "policy.mesh").write_text(policy_text(*POLICIES[row.name]))
        bundle = folder / "large.bundle"
        for number in range(bench.rounds):
            bench.say(f"{row.name}: round {number + 1} of {bench.rounds}")
            seconds.append(build(folder, bundle))
        values = {"seconds": seconds, "MiB": [bundle.stat().st_size / MIB]}
    return [results.judged(row.name, verdict.label, verdict.against, values[verdict.quantity],
                           verdict.reach and verdict.reach[0], verdict.more_is_better) for verdict in row.verdicts]


def build(folder, bundle):
    began = time.monotonic()
    done = subprocess.run([BIN / "heddle", "build", folder / "policy.mesh", "-o", bundle, "--verify", "off"], capture_output=True,
                          text=True)
    if done.returncode != 0:
        raise CannotMeasure(f"heddle build: {done.stderr.strip()[:600]}")
    return time.monotonic() - began
