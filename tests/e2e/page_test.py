"""Executes the commands of a documentation page as they stand there, on a machine of its own.

usage: page_test.py PAGE.md
Every ```sh block is typed into one shell, in order, in an empty folder, with our programs on the PATH. A ```text block that
follows says what must be seen on the terminal, line by line in this order; a line may stand for more with `...`. As a reader
would, the test goes on when it has seen that, not before.

The machine is a set of namespaces: own mounts, BPF file system, network and root of the cgroup tree. So the page can use
default places and ports, and govern "the whole machine", whatever else runs here.
"""

import os
import pathlib
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

from machine import Snapshot, cgroup_mount

PATIENCE = float(os.environ.get("HEDDLE_PAGE_PATIENCE", "60"))


def blocks(page):
    """[(commands, expected lines)] of the page."""
    found = []
    for kind, text in re.findall(r"^```(sh|text)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        if kind == "sh":
            found.append((text, []))
        elif found:
            found[-1][1].extend(text.splitlines())
    return found


def pattern(line):
    return ".*".join(re.escape(part.strip()) for part in line.split("..."))


class Shell:
    def __init__(self, folder):
        environment = dict(os.environ, PATH=f"{os.environ['HEDDLE_BIN_DIR']}:{os.environ['PATH']}", NO_COLOR="1",
                           PYTHONUNBUFFERED="1")
        self.process = subprocess.Popen(["bash"], cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, start_new_session=True)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def type(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def see(self, expected):
        """Waits until the expected lines have been seen in their order."""
        end = time.monotonic() + PATIENCE
        for line in expected:
            while True:
                try:
                    seen = self.lines.get(timeout=max(0.0, end - time.monotonic()))
                except queue.Empty:
                    raise SystemExit(f"page_test: not seen within {PATIENCE:.0f} s: {line}") from None
                print(f"  | {seen}")
                if re.search(pattern(line), seen):
                    break

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)

    def kill(self):
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass


def run_page(page):
    steps = blocks(page.read_text())
    if len(steps) < 3 or not all(expected for _, expected in steps[1:-1]):
        raise SystemExit(f"page_test: {page} has too few commands, or commands without an outcome")
    with tempfile.TemporaryDirectory(prefix="heddle-page-") as folder:
        snapshot = Snapshot(folder)
        shell = Shell(folder)
        try:
            for number, (commands, expected) in enumerate(steps, start=1):
                print(f"$ {commands}", end="")
                shell.type(commands)
                shell.see(expected)
                shell.type(f"echo step-{number}-done\n")
                shell.see([f"step-{number}-done"])
            shell.close()
        finally:
            shell.kill()
        leftovers = snapshot.leftovers()
        leftovers += [f"file {path}" for path in pathlib.Path(folder).iterdir()]
    if leftovers:
        raise SystemExit("page_test: left behind:\n  " + "\n  ".join(leftovers))


def enter_own_machine():
    """Called in the new namespaces, before the page."""
    run = lambda *command: subprocess.run(command, check=True)
    mount = cgroup_mount()
    run("umount", "--lazy", mount)
    run("mount", "-t", "cgroup2", "cgroup2", mount)
    run("mount", "-t", "bpf", "bpf", "/sys/fs/bpf")
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    run("ip", "link", "set", "lo", "up")


def main():
    if sys.argv[2:] == ["inside"]:
        enter_own_machine()
        return run_page(pathlib.Path(sys.argv[1]))
    cgroup = cgroup_mount() / f"heddle-page.{os.getpid()}"
    cgroup.mkdir()
    try:
        # The root of a new cgroup namespace is where its first process is.
        join = lambda: (cgroup / "cgroup.procs").write_text("0")
        unshare = ["unshare", "--mount", "--propagation", "private", "--cgroup", "--net"]
        inside = subprocess.run([*unshare, sys.executable, "-B", *sys.argv, "inside"], preexec_fn=join)
    finally:
        for folder in sorted(cgroup.rglob("*/"), reverse=True):
            folder.rmdir()
        cgroup.rmdir()
    return inside.returncode


sys.exit(main())
