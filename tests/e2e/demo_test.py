"""The demos end to end: their tables are right, Bookinfo fails when the mesh is broken, and they leave nothing behind.

usage: demo_test.py table | break | interrupt | killed | extern
"""

import os
import pathlib
import signal
import subprocess
import sys

from machine import Snapshot

SOURCE = pathlib.Path(os.environ["HEDDLE_SOURCE_DIR"])
DEMO = SOURCE / "examples/bookinfo/demo.sh"
ENVIRONMENT = dict(os.environ, HEDDLE_PEERS_DIR=str(SOURCE / "build/peers/bin"))


def start(*arguments):
    return subprocess.Popen([DEMO, *arguments], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, start_new_session=True)


def finish(demo):
    output, _ = demo.communicate(timeout=250)
    print(output)
    return output


def expect(condition, what):
    if not condition:
        raise SystemExit(f"demo_test: {what}")


def test_table():
    demo = start()
    output = finish(demo)
    expect(demo.returncode == 0, f"the demo ended with {demo.returncode}")
    expected = sum(1 for line in (DEMO.parent / "requests").read_text().splitlines() if line and line[0] != "#")
    shown = sum(1 for line in output.splitlines() if line.endswith(" ok"))
    expect(shown == expected, f"{shown} of {expected} requests in the table")


def test_break():
    demo = start("--break")
    output = finish(demo)
    expect(demo.returncode == 1, f"--break ended with {demo.returncode}, not 1")
    expect(output.count("--break:") == 2, "both ways to break it were to be tried")


def test_interrupt():
    """Ctrl-C goes to the whole foreground process group, in the middle of the table."""
    demo = start()
    for line in demo.stdout:
        print(line, end="")
        if line.rstrip().endswith(" ok"):
            break
    os.killpg(demo.pid, signal.SIGINT)
    finish(demo)
    expect(demo.returncode == 130, f"Ctrl-C ended the demo with {demo.returncode}, not 130")


def test_killed():
    """kill -9 of heddled: a new start adopts what is pinned, and detach removes it."""
    script = f"""
      set -euo pipefail
      here={DEMO.parent} bin={os.environ["HEDDLE_BIN_DIR"]} peers={SOURCE}/build/peers/bin patience=30
      source {SOURCE}/examples/lib.sh
      begin
      make_cgroups "$here"/env/*.mesh
      "$bin/heddle" build "$here/policy" "$here/env" -o "$work/bookinfo.bundle" >/dev/null
      start_heddled "$work/bookinfo.bundle"
      kill -9 "$agent"
      wait "$agent" || true
      start_heddled "$work/bookinfo.bundle"
      start_servers "$here/topology" "$here/servers"
      send_requests "$here/requests" "$here"/policy/*.mesh "$here"/env/*.mesh
      exit "$unexpected"
    """
    demo = subprocess.Popen(["bash", "-c", script], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, start_new_session=True)
    finish(demo)
    expect(demo.returncode == 0, f"after kill -9 and a new start: {demo.returncode}")


def test_extern():
    """A filter in BPF C decides by maps that bpftool fills."""
    demo = subprocess.Popen([SOURCE / "examples/extern-filter/demo.sh"], env=ENVIRONMENT, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, start_new_session=True)
    output = finish(demo)
    expect(demo.returncode == 0, f"the demo ended with {demo.returncode}")
    expect(output.count(" ok\n") == 12, "twelve requests were to be as expected")
    expect("as the filter counts: 4\n" in output, "it was asked for every request of the closed country, and counted each")


def test_nodes():
    """A request crosses nodes over mutual TLS."""
    demo = subprocess.Popen([SOURCE / "examples/two-nodes/demo.sh"], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, start_new_session=True)
    output = finish(demo)
    expect(demo.returncode == 0, f"the demo ended with {demo.returncode}")
    expect(output.count(" ok\n") == 9, "nine lines were to be as expected")


def main():
    snapshot = Snapshot("heddle-demo.")
    {"table": test_table, "break": test_break, "interrupt": test_interrupt, "killed": test_killed,
     "extern": test_extern, "nodes": test_nodes}[sys.argv[1]]()
    leftovers = snapshot.leftovers()
    expect(not leftovers, "left behind:\n  " + "\n  ".join(leftovers))


main()
