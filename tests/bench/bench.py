"""./dev bench: ratios between Heddle, no mesh, a bare redirect and other proxies, measured in turn within one run.

docs/performance.md says how it measures and what the rows mean. Exit code 0: everything was measured, whatever it came to;
1: something could not be measured, or an answer was wrong; 2: wrong usage; 130: Ctrl-C."""

import argparse
import contextlib
import importlib
import json
import os
import pathlib
import signal
import sys
import time

import picture
import results
import rows
import table
from contenders import Contenders
from scratch import SOURCE, CannotMeasure, Scratch, pin
from series import Bench

ROUNDS, QUICK_ROUNDS = 5, 3
# About: a sample's start, an agent's start and end.
OVERHEAD_SECONDS, SPECIAL_SECONDS = 0.1, 30
QUIET = 0.05
OUTPUT = SOURCE / "build" / "bench"


def arguments():
    names = list(dict.fromkeys(row.name for row in rows.ROWS))
    parser = argparse.ArgumentParser(prog="./dev bench", description="Measures Heddle against others.",
                                     epilog="rows: " + ", ".join(names))
    parser.add_argument("rows", nargs="*", metavar="ROW", help="default: all of them")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds of 1 s instead of {ROUNDS} of 1 or 2 s")
    parser.add_argument("--plan", action="store_true", help="only say what would be measured, and how long that takes")
    options = parser.parse_args()
    for unknown in set(options.rows) - set(names):
        parser.error(f"there is no row `{unknown}`; rows are: {', '.join(names)}")
    return options


def measure_row(bench, row):
    """Its results; what cannot be measured is a result that says so."""
    measured = None
    try:
        if row.special:
            found = importlib.import_module(row.special).measure(bench, row)
        else:
            measured = bench.measure(row.series)
            found = results.results_of(row, measured)
    except CannotMeasure as error:
        found = [results.missing(row.name, "all", "all", None, str(error))]
    table.print_row(row, measured, found)
    return found


def raw_samples(bench):
    """For whoever wants the absolute figures: build/bench/samples.json."""
    return {name: {"rates": each.rates, "missing": each.missing, "samples": each.samples} for name, each in bench.measured.items()}


def write(found, bench):
    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / "results.json").write_text(json.dumps({"rows": [each.for_json() for each in found]}, indent=1) + "\n")
    (OUTPUT / "samples.json").write_text(json.dumps(raw_samples(bench), indent=1) + "\n")
    (OUTPUT / "results.svg").write_text(picture.draw(found))


def say_progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def wanted_rows(options):
    return [row for row in rows.ROWS if not options.rows or row.name in options.rows]


def plan(options):
    """Rows that show the same samples take no time of their own."""
    rounds = QUICK_ROUNDS if options.quick else ROUNDS
    series = {row.series.name: row.series for row in wanted_rows(options) if row.series}
    total = 0
    for row in wanted_rows(options):
        if row.series is None:
            seconds = SPECIAL_SECONDS
        elif row.series.name in series:
            each = series.pop(row.series.name)
            turns = len(each.connections) * len(each.contenders)
            seconds = turns * rounds * ((1 if options.quick else each.seconds) + OVERHEAD_SECONDS)
        else:
            seconds = 0
        total += seconds
        print(f"{row.name:<18} {seconds:>5.0f} s  {row.about}")
    print(f"{'together':<18} {total:>5.0f} s, with {rounds} rounds")


def measure(options):
    began = time.monotonic()
    cpus = pin()
    others = used_by_others()
    rounds = QUICK_ROUNDS if options.quick else ROUNDS
    wanted = wanted_rows(options)
    print(f"kernel {os.uname().release}; everything runs on the CPUs {', '.join(map(str, cpus))}; ratios are medians of {rounds} "
          f"rounds{' (--quick: too few to judge by)' if options.quick else ''}, the range is that of all rounds", flush=True)
    found = []
    with contextlib.ExitStack() as ends:
        scratch = ends.enter_context(Scratch())
        bench = Bench(scratch, Contenders(scratch, ends), rounds, say_progress, seconds=1 if options.quick else None)
        for row in wanted:
            found += measure_row(bench, row)
            say_progress("")
            sys.stdout.flush()
        write(found, bench)
        ignore_signals()
    table.print_count(found)
    others = max(others, used_by_others())
    if others > QUIET:
        print(f"others use {others:.0%} of this machine's CPUs: these figures are noise")
    print(f"{time.monotonic() - began:.0f} s; {OUTPUT}/results.json, samples.json, results.svg")
    complete = all(each.measured for each in found) and not any(each.missing for each in bench.measured.values())
    return 0 if complete else 1


def used_by_others(seconds=0.5):
    """Part of the CPU time of the machine, while the bench does nothing."""
    def idle():
        fields = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()
        return (int(fields[4]) + int(fields[5])) / os.sysconf("SC_CLK_TCK")

    before, began = idle(), time.monotonic()
    time.sleep(seconds)
    return max(0, 1 - (idle() - before) / (time.monotonic() - began) / os.cpu_count())


def ignore_signals():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def interrupt(number, _):
    """The first one ends the bench; while it puts everything away, further ones would leave something behind."""
    ignore_signals()
    raise SystemExit(128 + number)


def main():
    options = arguments()
    if options.plan:
        plan(options)
        return
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    sys.exit(measure(options))


if __name__ == "__main__":
    main()
