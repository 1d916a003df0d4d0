"""A mesh of a test's own: policy text, a heddled in a scratch cgroup root, workloads to run commands as."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from machine import cgroup_mount

BIN = pathlib.Path(os.environ["HEDDLE_BIN_DIR"])


def expect(condition, what):
    if not condition:
        raise SystemExit(f"not as expected: {what}")


def wait_until(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"not so after {seconds} s: {what}")
        time.sleep(0.02)


class Mesh:
    """Use as a context: at its end programs, pins, cgroups, processes and files are gone."""

    def __init__(self, name, workers=2):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"heddle-{name}."))
        self.folder.chmod(0o755)
        self.root = cgroup_mount() / self.folder.name
        self.control = self.folder / "control.sock"
        self.workers = workers
        self.agent = None
        self._ends = contextlib.ExitStack()

    def __enter__(self):
        self.root.mkdir()
        return self

    def __exit__(self, *_):
        self._ends.close()
        if self.agent:
            self.heddle("detach", "--control", self.control, check=False)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.agent.wait(10)
            self.agent.kill()
            self.agent.wait()
        for path in sorted(self.root.rglob("*"), reverse=True):
            if path.is_dir():
                path.rmdir()
        self.root.rmdir()
        shutil.rmtree(self.folder)

    def at_end(self, callback, *arguments):
        self._ends.callback(callback, *arguments)

    def heddle(self, *arguments, check=True):
        done = subprocess.run([BIN / "heddle", *map(str, arguments)], capture_output=True, text=True)
        if check and done.returncode != 0:
            raise SystemExit(f"heddle {arguments[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def build(self, name, text):
        source = self.folder / f"{name}.mesh"
        source.write_text(text)
        bundle = self.folder / f"{name}.bundle"
        self.heddle("build", source, "-o", bundle, "--verify", "off")
        return bundle

    def start(self, bundle, *options):
        log = open(self.folder / "heddled.log", "a")
        self.agent = subprocess.Popen(
            [BIN / "heddled", "--bundle", bundle, "--cgroup-root", self.root, "--control", self.control,
             "--workers", str(self.workers), *options], stderr=log, start_new_session=True)
        wait_until(lambda: self.agent.poll() is not None or self.heddle("status", "--control", self.control, check=False).returncode == 0,
                   "heddled answers")
        expect(self.agent.poll() is None, "heddled is up:\n" + (self.folder / "heddled.log").read_text())

    def status(self):
        return json.loads(self.heddle("status", "--control", self.control, "--format", "json").stdout)

    def reload(self, bundle):
        self.heddle("reload", bundle, "--control", self.control)

    def worker_pids(self):
        return [int(p) for p in pathlib.Path(f"/proc/{self.agent.pid}/task/{self.agent.pid}/children").read_text().split()]

    def cgroup(self, path):
        folder = self.root / path
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def run_as(self, path, arguments, **options):
        """Starts a command in a cgroup below the root."""
        folder = self.cgroup(path)
        return subprocess.Popen(arguments, preexec_fn=lambda: (folder / "cgroup.procs").write_text("0"), **options)

    @contextlib.contextmanager
    def inside(self, path):
        """This very process, for a while, as a process of that cgroup."""
        own = next(line for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
        (self.cgroup(path) / "cgroup.procs").write_text(str(os.getpid()))
        try:
            yield
        finally:
            (pathlib.Path(str(cgroup_mount()) + own[3:]) / "cgroup.procs").write_text(str(os.getpid()))
