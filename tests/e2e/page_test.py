"""Executes the commands of a documentation page as they stand there.

usage: page_test.py PAGE.md
Every ```sh block is typed into one shell, in order, in an empty folder, with our programs on the PATH. A ```text block that
follows says what must be seen on the terminal, line by line in this order; a line may stand for more with `...`. As a reader
would, the test goes on when it has seen that, not before.
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

from machine import Snapshot

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


def main():
    page = pathlib.Path(sys.argv[1])
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
    if leftovers:
        raise SystemExit("page_test: left behind:\n  " + "\n  ".join(leftovers))


main()
