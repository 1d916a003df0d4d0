"""Breaks the code on purpose, one patch of this folder at a time, and sees that the test which the patch names fails.

    ./dev mutants [NAME...]

A patch says in its first line what is taken out, and in its second which test has to notice. It is built and tried in a
mount namespace of its own, where a layer lies over the project's folder: same paths, so a build takes seconds, and the
checkout never changes. A patch that does not apply, does not build, or that nobody notices, is a failure.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HERE = pathlib.Path(__file__).resolve().parent
# What a test needs to be built; the others find the programs.
BUILT = {"differential": ("differential",), "unit_handler": ("unit_handler",), "kernel_filter": ("kernel_filter",),
         "golden_diagnostics": ("golden_diagnostics",), "unit_peers": ("unit_peers",), "unit_handler_decisions": ("handler_harness",),
         "e2e_fast_path_bypass": ("heddle", "heddled"),
         "unit_tunnel": ("unit_tunnel",), "unit_tls": ("unit_tls",), "golden_ca": ("heddle", "golden_ca"),
         "e2e_nodes_nodes_1": ("heddle", "heddled"), "e2e_nodes_hbone_1": ("heddle", "heddled"),
         "e2e_nodes_identities_1": ("heddle", "heddled")}
# Tests that are several for ctest.
SEVERAL = {"differential": "differential(_.*)?"}
PROGRAMS = ("heddle", "heddled", "kernel_fast_path", "kernel_decide")
# The first difference says enough.
ENVIRONMENT = {"HEDDLE_FIRST_DIFFERENCE": "1", "GTEST_FAIL_FAST": "1"}
TIME = 600
CAUGHT, MISSED, BROKEN = range(3)

# In the namespace: $1 root, $2 folder of the layer, $3 patch, $4 jobs, $5 the test, $6 what it needs.
SCRIPT = f"""set -eu
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$1"
cd "$1"
patch --quiet -p1 <"$3" || exit 42
cmake --build build/dev -j "$4" --target $6 >"$2/build.log" 2>&1 || exit 43
exec ctest --test-dir build/dev -R "^$5\\$" --no-tests=error --stop-on-failure --output-on-failure --timeout {TIME}
"""


def read(patch):
    lines = patch.read_text().splitlines()
    found = re.fullmatch(r"Caught by: (\w+)", lines[1])
    if not found:
        raise SystemExit(f"{patch}: the second line is not `Caught by: TEST`")
    return lines[0], found.group(1)


def attempt(patch, test, layer):
    for each in ("upper", "work"):
        (layer / each).mkdir(parents=True)
    command = ["unshare", "--mount", "sh", "-c", SCRIPT, "sh", ROOT, layer, patch, str(os.cpu_count()), SEVERAL.get(test, test),
               " ".join(BUILT.get(test, PROGRAMS))]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, errors="replace",
                          env={**os.environ, **ENVIRONMENT})
    log = ROOT / "build" / "log" / f"mutant-{patch.stem}"
    log.parent.mkdir(parents=True, exist_ok=True)
    build = layer / "build.log"
    log.write_text(done.stdout + done.stderr + (build.read_text() if build.exists() else ""))
    if done.returncode in (42, 43):
        return BROKEN, f"the patch does not {'apply' if done.returncode == 42 else 'build'}: {log}"
    if done.returncode == 0:
        return MISSED, f"{test} does not notice: {log}"
    # A test that could not even begin has noticed nothing.
    failure = r"^(?:FAIL|ERROR): (\w+)|\[  FAILED  \] (\S+)|(\*\*\*Timeout)"
    first = None if "setUpClass" in done.stdout else re.search(failure, done.stdout, re.M)
    return (CAUGHT, next(filter(None, first.groups()))) if first else (BROKEN, f"{test} did not run to a verdict: {log}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    chosen = parser.parse_args().names
    patches = sorted(each for each in HERE.glob("*.patch") if not chosen or each.stem in chosen)
    if len(patches) != len(set(chosen) or patches) or not patches:
        raise SystemExit(f"no such mutant; there are: {' '.join(each.stem for each in sorted(HERE.glob('*.patch')))}")
    outcomes = []
    for patch in patches:
        what, test = read(patch)
        begin = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="heddle-mutant-") as layer:  # not below the root, over which it lies
            outcome, text = attempt(patch, test, pathlib.Path(layer))
        outcomes.append(outcome)
        print(f"{('caught', 'MISSED', 'BROKEN')[outcome]} {patch.stem} ({time.monotonic() - begin:.0f} s): {text}\n       {what}", flush=True)
    print(f"{outcomes.count(CAUGHT)} of {len(outcomes)} mutants caught")
    return 0 if outcomes.count(CAUGHT) == len(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
