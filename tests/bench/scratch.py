"""Where the bench works: processes that end with it, cgroups that go with it, and the CPUs that all of them share."""

import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
for folder in ("tests/e2e", "tests/e2e/commands"):
    sys.path.insert(0, str(SOURCE / folder))
from machine import cgroup_mount  # noqa: E402

BIN = pathlib.Path(os.environ["HEDDLE_BIN_DIR"])
TOOLS = BIN.parent / "tests" / "bin" if "HEDDLE_BENCH_TOOLS" not in os.environ else pathlib.Path(os.environ["HEDDLE_BENCH_TOOLS"])
PEERS = pathlib.Path(os.environ.get("HEDDLE_PEERS_DIR", SOURCE / "build" / "peers" / "bin"))
CPUS = 2
PREFIX = "heddle-bench"

_libc = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


class CannotMeasure(Exception):
    """Something is missing or does not work: the figure does not exist."""


class WrongResponse(CannotMeasure):
    """An answer was not what it had to be: a figure would mean nothing."""


def pin():
    """Client, servers and whatever stands between them share the same two CPUs; which of them runs where is the kernel's
    business. What is started later inherits it."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CPUS])
    return sorted(os.sched_getaffinity(0))


def free_ports(count):
    """TCP ports that are free on every address, one after the other."""
    while True:
        with contextlib.ExitStack() as ends:
            try:
                first = ends.enter_context(socket.socket())
                first.bind(("", 0))
                start = first.getsockname()[1]
                for offset in range(1, count):
                    ends.enter_context(socket.socket()).bind(("", start + offset))
                return list(range(start, start + count))
            except (OSError, OverflowError):
                continue


def launch(command, cgroup, **options):
    """Starts a process inside a cgroup. It ends when the bench does, and Ctrl-C is none of its business."""
    procs = str(cgroup / "cgroup.procs")

    def prepare():
        with open(procs, "w") as file:
            file.write("0")
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return subprocess.Popen([str(word) for word in command], preexec_fn=prepare, start_new_session=True, **options)


def stop(process, patience=10):
    process.terminate()
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def run(command, cgroup, patience=60):
    """Its output; it has to succeed."""
    process = launch(command, cgroup, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        output, errors = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        raise CannotMeasure(f"{pathlib.Path(command[0]).name} did not end within {patience} s") from None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode != 0:
        raise CannotMeasure(f"{pathlib.Path(command[0]).name} ended with {process.returncode}: {(errors or output).strip()[:500]}")
    return output


def wait_for_port(port, process, what, address="127.0.0.1", patience=20):
    end = time.monotonic() + patience
    while True:
        if process.poll() is not None:
            raise CannotMeasure(f"{what} ended with {process.returncode} instead of listening")
        with contextlib.suppress(OSError), socket.create_connection((address, port), 1):
            return
        if time.monotonic() > end:
            raise CannotMeasure(f"{what} does not listen after {patience} s")
        time.sleep(0.02)


def remove_cgroup(folder, patience=10):
    """With all below it; who is still in there was started by us."""
    end = time.monotonic() + patience
    while folder.exists():
        for place in sorted([folder, *(path for path in folder.rglob("*") if path.is_dir())], reverse=True):
            with contextlib.suppress(OSError):
                for pid in (place / "cgroup.procs").read_text().split():
                    os.kill(int(pid), signal.SIGKILL)
                place.rmdir()
        if time.monotonic() > end:
            raise CannotMeasure(f"{folder} cannot be removed")
        if folder.exists():
            time.sleep(0.02)


def remove_stale():
    """What a bench that was killed outright left. Its processes ended with it; the cgroups of another one are in use."""
    for folder in cgroup_mount().glob(f"{PREFIX}[-.]*"):
        if "populated 0" in (folder / "cgroup.events").read_text():
            remove_cgroup(folder)


class Scratch:
    """A folder and a cgroup root of the bench's own; use it as a context."""

    def __enter__(self):
        remove_stale()
        self.ends = contextlib.ExitStack()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{PREFIX}-"))
        self.folder.chmod(0o755)
        self.ends.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.root = cgroup_mount() / f"{PREFIX}-{os.getpid()}"
        self.ends.callback(remove_cgroup, self.root)
        self.root.mkdir()
        return self

    def __exit__(self, *_):
        self.ends.close()

    def cgroup(self, name):
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def file(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path
