"""The row `rules`: what a decision costs by ten rules and by ten thousand of the same mixed shapes, as the kernel accounts it. The
requests are spread over all rules; some are decided by none."""

import json
import pathlib
import subprocess
import tempfile

import results
from compile_times import build
from large import ADDRESS, mixed, mixed_request, policy_text
from scratch import TOOLS, CannotMeasure

FEW, MANY = 10, 10000
REQUESTS = 960  # of each side
MISSES = 8  # one of so many
PROGRAM = TOOLS / "bench_decide"


def requests(count):
    """Alike on both sides, down to the lengths of what is compared: the rules are those at the same places of the list."""
    found = []
    for index in range(REQUESTS):
        # The shape is that of the index; the rule the one of that shape nearest to where the index is in the list.
        number = index % 6 + (index * count // REQUESTS) // 6 * 6
        number -= 6 if number >= count else 0
        path, header = mixed_request(number)
        rule = f"route s/{number + 1}"
        if index % MISSES == 0:
            path, header, rule = path + "/none/of/them", "x-h0: none\r\n", "route s/otherwise"
            # What comes under a path is still its rule's.
            rule = rule if number % 6 != 1 else f"route s/{number + 1}"
        found.append({"head": f"GET {path} HTTP/1.1\r\nhost: s\r\nuser-agent: bench\r\naccept: */*\r\n{header}\r\n", "rule": rule})
    return found


def measure(bench, row):
    bench.say(f"{row.name}: {FEW} and {MANY} rules")
    with tempfile.TemporaryDirectory(prefix="heddle-bench-") as name:
        folder = pathlib.Path(name)
        sides = []
        for count in (FEW, MANY):
            (folder / str(count)).mkdir()
            (folder / str(count) / "policy.mesh").write_text(policy_text(count, mixed))
            bundle = folder / f"{count}.bundle"
            build(folder / str(count), bundle)
            sides.append({"bundle": str(bundle), "destination": ADDRESS, "requests": requests(count)})
        (folder / "plan.json").write_text(json.dumps({"rounds": bench.rounds, "ms": 300, "sides": sides}))
        done = subprocess.run([PROGRAM, folder / "plan.json"], capture_output=True, text=True)
    if done.returncode != 0:
        raise CannotMeasure(done.stderr.strip()[:600])
    few, many = json.loads(done.stdout)["ns"]
    verdict, = row.verdicts
    return [results.judged(row.name, verdict.label, verdict.against, [more / less for less, more in zip(few, many)], verdict.reach[0],
                           verdict.more_is_better)]
