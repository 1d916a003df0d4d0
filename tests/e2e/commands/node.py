"""A governed place of a test's own: a scratch cgroup root, an agent when the test wants one, and a server to ask."""

import contextlib
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from machine import cgroup_mount  # noqa: E402

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


class Node:
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

    def cgroup(self, path):
        folder = self.root / path
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def run_as(self, path, arguments, **options):
        """Starts a command in a cgroup below the root."""
        folder = self.cgroup(path)
        return subprocess.Popen(arguments, preexec_fn=lambda: (folder / "cgroup.procs").write_text("0"), **options)


class Hello(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def hello_server():
    """Answers every GET with `hello`; gives its port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hello)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
