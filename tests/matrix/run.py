"""Runs the checks of this folder in a guest per kernel. `./dev matrix` starts it.

usage: run.py --kernels DIR --bin DIR --reports DIR --log DIR [--kernel 6.1]
DIR of kernels has one folder per version with an unpacked Debian kernel package.
"""

import argparse
import concurrent.futures
import pathlib
import sys

import content
import guest

# Booting takes seconds; verification in a TCG guest is about ten times slower than on the machine.
TIMEOUT = 600


def run_kernel(version, options):
    image = guest.Image()
    content.fill(image, options)
    folder = options.kernels / version
    initramfs = folder / "initramfs.cpio"
    image.write(initramfs)
    kernel = next(folder.glob("boot/vmlinuz-*"))
    log = options.log / f"matrix-{version}.log"
    results, seconds = guest.run(kernel, initramfs, image.checks(), log, TIMEOUT)
    lines = [f"{'pass' if passed else 'fail'} {name}" for name, passed in sorted(results.items())]
    (options.reports / f"matrix-{version}.txt").write_text("\n".join(lines) + "\n")
    return version, kernel.name, results, seconds, log


def show(version, kernel, results, seconds, log):
    failed = sorted(name for name, passed in results.items() if not passed)
    print(f"kernel {version} ({kernel}): {len(results) - len(failed)} passed, {len(failed)} failed, {seconds:.0f} s, log in {log}")
    for name in failed:
        print(f"  failed: {name}")
    if failed:
        print("  the end of its log:", *log.read_text(errors="replace").splitlines()[-60:], sep="\n  | ")
    return not failed


def main():
    parser = argparse.ArgumentParser()
    for name in ("kernels", "bin", "reports", "log"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    parser.add_argument("--kernel", action="append")
    options = parser.parse_args()
    options.reports.mkdir(parents=True, exist_ok=True)
    options.log.mkdir(parents=True, exist_ok=True)
    versions = options.kernel or ["6.1", "6.12"]
    # One guest per CPU pays: each is mostly one thread of emulation.
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        outcomes = list(pool.map(lambda version: run_kernel(version, options), versions))
    return 0 if all([show(*outcome) for outcome in outcomes]) else 1


sys.exit(main())
