"""Runs the checks of this folder in guests, two per kernel. `./dev matrix` starts it.

usage: run.py --kernels DIR --bin DIR --reports DIR --log DIR [--kernel 6.1] [--guest small]
DIR of kernels has one folder per version with an unpacked Debian kernel package.
"""

import argparse
import concurrent.futures
import pathlib
import re
import sys
import threading

import budget
import content
import guest

# Booting takes seconds; verification in a TCG guest is about ten times slower than on the machine.
TIMEOUT = 900

# Figures that are read even when everything passed.
TOLD = re.compile(r"landing by|% decided in the kernel|^verified: |^TCP had up to|^under pressure")


# What is in a guest, and how much memory it has. The long ones first.
GUESTS = {"usual": (content.fill, "3G"), "small": (content.fill_small, "256M")}
filling = threading.Lock()  # what is built for a guest lies in one place for all


def run_guest(version, kind, options):
    fill, memory = GUESTS[kind]
    name = version if kind == "usual" else f"{version}-{kind}"
    folder = options.kernels / version
    initramfs = folder / f"{kind}.cpio"
    image = guest.Image()
    with filling:
        fill(image, options)
        image.write(initramfs)
    kernel = next(folder.glob("boot/vmlinuz-*"))
    log = options.log / f"matrix-{name}.log"
    results, seconds = guest.run(kernel, initramfs, image.checks(), log, TIMEOUT, memory)
    lines = [f"{'pass' if passed else 'fail'} {check}" for check, passed in sorted(results.items())]
    (options.reports / f"matrix-{name}.txt").write_text("\n".join(lines) + "\n")
    return name, kernel.name, results, seconds, log


def show(version, kernel, results, seconds, log):
    failed = sorted(name for name, passed in results.items() if not passed)
    print(f"kernel {version} ({kernel}): {len(results) - len(failed)} passed, {len(failed)} failed, {seconds:.0f} s, log in {log}")
    for line in log.read_text(errors="replace").splitlines():
        if TOLD.search(line):
            print(f"  {line.strip()}")
    for name in failed:
        print(f"  failed: {name}")
    if failed:
        print("  the end of its log:", *log.read_text(errors="replace").splitlines()[-60:], sep="\n  | ")
    over = budget.failures(version, log.read_text(errors="replace")) if not failed else []
    for line in over:
        print(f"  over budget: {line}")
    return not failed and not over


def main():
    parser = argparse.ArgumentParser()
    for name in ("kernels", "bin", "reports", "log"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    parser.add_argument("--kernel", action="append")
    parser.add_argument("--guest", action="append", choices=list(GUESTS))
    options = parser.parse_args()
    options.reports.mkdir(parents=True, exist_ok=True)
    options.log.mkdir(parents=True, exist_ok=True)
    versions = options.kernel or ["6.1", "6.12"]
    kinds = options.guest or list(GUESTS)
    wanted = [(version, kind) for kind in kinds for version in versions]
    # One guest per CPU pays: each is mostly one thread of emulation.
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        outcomes = list(pool.map(lambda each: run_guest(*each, options), wanted))
    return 0 if all([show(*outcome) for outcome in outcomes]) else 1


sys.exit(main())
