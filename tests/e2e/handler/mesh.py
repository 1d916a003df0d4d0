"""A mesh of the test's own: a scratch cgroup root, `heddled` on it, servers in this process, and clients as workloads."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent.parent / "unit" / "handler" / "traffic"))
from machine import cgroup_mount  # noqa: E402

BIN = pathlib.Path(os.environ["HEDDLE_BIN_DIR"])
TIMEOUT = 30


def policy(servers, access="allow from web", route="", extra=""):
    """One http service `echo` at 10.96.7.1:80, [fd00:7::1]:80 and on its first endpoint's own address."""
    endpoints = "\n".join(f'  endpoint {server} {{ version "v{i}" }}' for i, server in enumerate(servers, 1))
    subsets = "\n".join(f'  subset v{i} where version is "v{i}"' for i in range(1, len(servers) + 1))
    return f"""
mesh test {{ trust_domain "test.example" }}
identity web = spiffe "ns/test/sa/web"
identity foe = spiffe "ns/test/sa/foe"
workload web {{ cgroup "web.service" identity web }}
workload foe {{ cgroup "foe.service" identity foe }}
service echo {{
  address   10.96.7.1:80
  address   [fd00:7::1]:80
  protocol  http
  transport plaintext
{subsets}
}}
endpoints echo {{
{endpoints}
}}
access echo {{
  {access}
}}
{route}
{extra}
"""


def open_files(pid):
    """What the descriptors of a process lead to; some may be closed while one looks."""
    found = set()
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.add(os.readlink(entry))
        except FileNotFoundError:
            pass
    return found


class Mesh:
    """`text` is the policy, or a function of the mesh that says it when the cgroups are there."""

    def __init__(self, text, workers=2):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="heddle-e2e-"))
        self.root = cgroup_mount() / f"heddle-e2e-{os.getpid()}"
        for workload in ("web.service", "foe.service", "stranger.service", "server.service"):
            (self.root / workload).mkdir(parents=True)
        self.control = str(self.folder / "control.sock")
        self.builds = 0
        self.agent = None
        self.log = open(self.folder / "log", "wb")
        try:
            self.start(self.build(text(self) if callable(text) else text), workers)
        except BaseException:
            self.close()
            raise

    def start(self, bundle, workers=2, **options):
        self.agent = subprocess.Popen(
            [BIN / "heddled", "--bundle", bundle, "--control", self.control, "--cgroup-root", str(self.root),
             "--workers", str(workers), "--detach-at-end"], stderr=self.log, **options)
        self.wait_ready()

    def build(self, text):
        self.builds += 1
        source = self.folder / f"p{self.builds}.mesh"
        source.write_text(text)
        bundle = str(self.folder / f"p{self.builds}.bundle")
        done = subprocess.run([BIN / "heddle", "build", "--verify", "off", str(source), "-o", bundle], capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(f"heddle build: {done.returncode}\n{done.stdout}{done.stderr}")
        return bundle

    def reload(self, bundle):
        done = subprocess.run([BIN / "heddle", "reload", "--control", self.control, bundle], capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(f"heddle reload: {done.returncode}\n{done.stdout}{done.stderr}")

    def status(self):
        done = subprocess.run([BIN / "heddle", "status", "--control", self.control], capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else ""

    def wait_ready(self):
        end = time.monotonic() + TIMEOUT
        while not self.status():
            if self.agent.poll() is not None or time.monotonic() > end:
                raise AssertionError("heddled is not there:\n" + self.text_of_log())
            time.sleep(0.02)

    def text_of_log(self):
        return (self.folder / "log").read_text(errors="replace")

    def workers(self):
        """Process ids of the handler's workers."""
        workers = []
        for pid in pathlib.Path(f"/proc/{self.agent.pid}/task/{self.agent.pid}/children").read_text().split():
            try:
                if b"--worker" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                    workers.append(int(pid))
            except OSError:
                pass  # ended meanwhile
        return workers

    def listener_port(self):
        """Where the handler listens on 127.0.0.1."""
        pid = self.workers()[0]
        inodes = open_files(pid)
        for line in pathlib.Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                return int(fields[1].split(":")[1], 16)
        raise AssertionError("the worker does not listen")

    def popen(self, workload, command, **options):
        """A process that is in the workload's cgroup from its first instruction."""
        procs = str(self.root / f"{workload}.service" / "cgroup.procs")

        def enter():
            with open(procs, "w") as file:
                file.write("0")

        return subprocess.Popen(command, preexec_fn=enter, **options)

    def run(self, workload, command, data=None):
        process = self.popen(workload, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = process.communicate(data, TIMEOUT * 4)
        return process.returncode, out, err

    def curl(self, workload, *arguments, data=None):
        """Exit code, status, rule, body."""
        code, out, _ = self.run(workload, ["curl", "-sS", "-m", str(TIMEOUT), "-i", *arguments], data)
        heads, _, body = out.partition(b"\r\n\r\n")
        while b" 100 " in heads.split(b"\r\n")[0]:
            heads, _, body = body.partition(b"\r\n\r\n")
        status = re.match(rb"HTTP/1.1 (\d+)", heads)
        rule = re.search(rb"(?i)x-heddle-rule: ([^\r]*)", heads)
        return code, int(status.group(1)) if status else 0, rule.group(1).decode() if rule else None, body

    def close(self):
        if self.agent is not None:
            self.agent.terminate()
            try:
                self.agent.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                self.agent.kill()
                self.agent.wait()
        self.log.close()
        end = time.monotonic() + 5
        for folder in sorted(self.root.rglob("*"), reverse=True) + [self.root]:
            while folder.is_dir():
                try:
                    folder.rmdir()
                except OSError:
                    if time.monotonic() > end:
                        raise
                    time.sleep(0.01)
        shutil.rmtree(self.folder)
