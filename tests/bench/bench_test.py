"""The bench's own parts: a small measurement comes out in the right form, what is wrong is found, and Ctrl-C leaves nothing.

usage: bench_test.py PART"""

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
from xml.etree import ElementTree

import bench as program
import check
import peers
import picture
import results
import rows
import scratch
import servers
from contenders import Contenders
from load import LARGE, Load, pace, padded, wrk
from machine import Snapshot
from scratch import Scratch, WrongResponse
from series import Bench, Measured, Series

KEYS = ["row", "case", "against", "ratio", "min", "max", "reach", "ok"]


def expect(condition, what):
    if not condition:
        raise SystemExit(f"bench_test: {what}")


def expect_wrong(what, call):
    try:
        call()
    except WrongResponse as error:
        print(f"found: {error}")
        return
    raise SystemExit(f"bench_test: nobody noticed: {what}")


@contextlib.contextmanager
def place(texts=None):
    with contextlib.ExitStack() as ends:
        here = ends.enter_context(Scratch())
        yield here, Contenders(here, ends, texts)


def part_row():
    """One row, three contenders, one of them missing; a second round must not be the first one again."""
    peers.PEERS = scratch.SOURCE / "no-such-folder"
    series = Series("node_http", ("none", "ceiling", "heddle", "envoy"), connections=(4,))
    row = dataclasses.replace(rows.ROWS[0], series=series, verdicts=(
        *rows.ROWS[0].verdicts, rows.Verdict("envoy", ("envoy",), (2.3,)), rows.Verdict("none", ("none",), None, label="shown")))
    with place() as (here, contenders):
        measured_by = Bench(here, contenders, 2, lambda _: None, seconds=1)
        found = program.measure_row(measured_by, row)
        program.OUTPUT = here.folder / "output"
        program.write(found, measured_by)
        written = json.loads((program.OUTPUT / "results.json").read_text())
        dots = ElementTree.parse(program.OUTPUT / "results.svg").findall(".//{*}circle")
        expect(len(dots) == 3, "a picture with a dot for each that was measured")
        samples = measured_by.measured["node_http"].samples[4]
    expect(list(written) == ["rows"] and [list(each) for each in written["rows"]] == [KEYS] * 4, f"the form of {written}")
    for each in written["rows"][:2]:
        expect(each["row"] == "node_http" and each["case"] == "4" and each["against"] in ("none", "ceiling"), f"{each}")
        ratios = [ours["throughput"] / other["throughput"] for ours, other in zip(samples["heddle"], samples[each["against"]])]
        expect(each["min"] == min(ratios) and each["max"] == max(ratios) and ratios[0] != ratios[1], f"{ratios} in {each}")
        expect(each["min"] <= each["ratio"] <= each["max"] and isinstance(each["ok"], bool), f"{each}")
    missing, shown = written["rows"][2:]
    expect(missing["ratio"] is None and missing["ok"] is False and not found[2].measured, f"a peer that is not there: {missing}")
    expect(shown["ok"] is None and shown["reach"] is None, f"what has nothing to reach is not judged: {shown}")


def judge(ours, other, reach, decided, quantity="throughput"):
    """`decided`: of a thousand requests, in each round."""
    verdict = rows.Verdict("none", ("none",), (reach,), quantity=quantity)
    row = rows.Row("r", "", Series("s", ("none", "heddle"), connections=(1,)), (verdict,))
    samples = {"none": [{quantity: each} for each in other],
               "heddle": [{quantity: each, "decided": count, "decidable": 1000, "besides": {"no_link": 5}}
                          for each, count in zip(ours, decided)]}
    return results.results_of(row, Measured({1: samples}, {}, {}, {}))[0]


def part_judgement():
    enough, short = (980, 995, 995), (985, 985, 995)
    good = judge([120, 200, 110], [100, 100, 100], 1.2, enough)
    expect((good.ratio, good.min, good.max, good.ok) == (1.2, 1.1, 2.0, True), f"{good}")
    expect(not judge([119] * 3, [100] * 3, 1.2, enough).ok, "too little")
    undecided = judge([300] * 3, [100] * 3, 1.2, short)
    expect(not undecided.ok and "98.8%" in undecided.note and "no_link 15" in undecided.note, f"fast, but not in the kernel: {undecided}")
    expect(judge([90] * 3, [100] * 3, 0.9, enough, "p50").ok and not judge([91] * 3, [100] * 3, 0.9, enough, "p50").ok, "less is better")
    for size in (480, 2048):
        expect(len(padded(size).request) == size, f"a head of {size} bytes")
    extremes = [results.judged("r", "c", against, [value], reach, True) for against, value, reach in
                (("none", 1e4, 1), ("none", 1e-4, None), ("self", 30, 24))]
    expect(picture.draw([good, *extremes, results.missing("r", "1", "envoy", 1, "gone")]).count("<circle") == 4, "dots")


def part_wrong():
    """Each of these answers is wrong in one way only."""
    first, second = servers.SMALL.values()
    with place({1: first.replace("end", "END"), 2: second}) as (here, contenders):
        none = contenders.get("none")
        expect_wrong("a byte", lambda: check.check(none, Load().request))
        expect_wrong("a byte, under load", lambda: pace(here, none, Load(), 2, 0.2, 500))
        nothing = Load("/files/none")
        size = check.ask(none, [[nothing.request]])[0][0][2]
        expect_wrong("a status, under load", lambda: wrk(none, nothing, 2, 1, (size, size)))
        expect_wrong("nobody there", lambda: check.check(dataclasses.replace(none, port=1), Load().request))
    with place({1: first, 2: first}) as (here, contenders):
        heddle = contenders.get("heddle")
        expect_wrong("the wrong server", lambda: check.check(heddle, Load().request))
        expect(contenders.get("none") and check.check(contenders.get("none"), LARGE.request)[0] > 65536, "64 KiB that are right")
        expect_wrong("the client is not a workload", lambda: check.check(
            dataclasses.replace(heddle, cgroup=here.cgroup("plain")), Load().request))
        series = Series("s", ("none", "heddle"), connections=(2,))
        measured = Bench(here, contenders, 1, lambda _: None, seconds=1).measure(series)
        expect(list(measured.samples[2]) == ["none"] and "leads to its server" in measured.missing["heddle"],
               f"who answers wrong has no samples: {measured}")
        sizes = check.check(contenders.get("none"), Load().request)
        wrk(contenders.get("none"), Load(), 2, 1, sizes)
        for wrong in (1, -1):
            expect_wrong("a length, under load", lambda: wrk(contenders.get("none"), Load(), 2, 1, [size + wrong for size in sizes]))


def children_of(pid):
    """Names of programs."""
    names = set()
    with contextlib.suppress(OSError):
        for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            names.add(pathlib.Path(f"/proc/{child}/comm").read_text().strip())
    return names


def scratch_folders():
    return set(pathlib.Path(tempfile.gettempdir()).glob(f"{scratch.PREFIX}*"))


def part_interrupt():
    """In the middle of a measurement; and again and again while it is putting things away, as people do."""
    before, folders_before = Snapshot(scratch.PREFIX), scratch_folders()
    bench = subprocess.Popen([sys.executable, "-B", program.__file__, "node_http_rules", "--quick"], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, start_new_session=True)
    while "wrk" not in children_of(bench.pid):
        expect(bench.poll() is None, "the bench ended by itself")
    while bench.poll() is None:
        os.killpg(bench.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            bench.wait(0.02)
    expect(bench.returncode == 130, f"Ctrl-C ended the bench with {bench.returncode}: {bench.stdout.read()}")
    rest = [*before.leftovers(), *(scratch_folders() - folders_before)]
    expect(not rest, f"left over: {rest}")


if __name__ == "__main__":
    globals()[f"part_{sys.argv[1]}"]()
