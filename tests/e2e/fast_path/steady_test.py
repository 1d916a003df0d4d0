"""On the steady path nothing of ours makes a system call: the kernel's programs do all of the work, and the workers sleep."""
import re
import shutil
import signal
import subprocess
import time
import unittest

from world import PROGRAMS, TIMEOUT, Case, eventually, first_requests

SECONDS = 3
CONNECTIONS = 16
# Every worker looks at the state words every 10 ms (timeouts, ends), and asks for what is unread every 100 ms; each look is a
# wait for events, the clock, and what it found. That depends on time, not on requests.
CALLS_PER_SECOND = 600


class Strace:
    """Counts the system calls of processes, all their threads and children, for as long as it is attached."""

    def __init__(self, pids):
        self.process = subprocess.Popen(["strace", "-f", "-c", "-U", "name,calls", *(word for pid in pids for word in ("-p", str(pid)))],
                                        stderr=subprocess.PIPE, text=True)
        for _ in pids:  # `Process 123 attached`
            self.process.stderr.readline()

    def counts(self):
        self.process.send_signal(signal.SIGINT)
        _, text = self.process.communicate(timeout=TIMEOUT)
        return {name: int(calls) for name, calls in re.findall(r"^\s*(\w+)\s+(\d+)\s*$", text, re.M) if name != "total"}


class Steady(Case):
    world_options = {"route": "route echo {\n  when path under \"/v1\" -> v1 { timeout 5s }\n  otherwise -> v1\n}"}

    def test_no_system_call_for_a_request(self):
        if not shutil.which("strace"):
            raise AssertionError("strace is not on this machine: `./dev deps` installs it")
        ours = [self.world.agent.pid, *self.world.workers()]
        with self.world.on_fast_path(self, *first_requests(CONNECTIONS, 2)):
            load = subprocess.Popen([PROGRAMS / "attack_client", "load", str(CONNECTIONS), "3600", "one"], stdout=subprocess.PIPE, text=True)
            try:
                eventually(self, lambda: min(self.world.fast_path()[each] for each in ("flows", "links")) >= CONNECTIONS, "all on the fast path")
                before = self.world.servers.statistics()["answered"]
                begin = time.monotonic()
                strace = Strace(ours)
                time.sleep(SECONDS)  # the time in which they are counted
                calls = strace.counts()
                seconds = time.monotonic() - begin
                requests = self.world.servers.statistics()["answered"] - before
            finally:
                load.send_signal(signal.SIGINT)
                out, _ = load.communicate(timeout=TIMEOUT)
        self.assertIn('"wrong": 0', out)
        total = sum(calls.values())
        print(f"{requests} requests in {seconds:.1f} s, {total} system calls of heddled and its workers "
              f"({total / seconds:.0f} a second, {total / requests:.5f} a request): {calls}", flush=True)
        self.assertGreater(requests, 20_000)
        self.assertGreater(calls.get("epoll_wait", 0), 10 * SECONDS, "strace has counted nothing")
        self.assertLess(total / requests, 0.1)
        self.assertLess(total / seconds, CALLS_PER_SECOND * len(ours))
        # Nothing that reads or writes a connection, and nothing that decides, but for the looks at what is unread.
        for name in ("read", "write", "recvfrom", "sendto", "readv", "writev", "recvmsg", "sendmsg", "accept4", "connect"):
            self.assertLess(calls.get(name, 0), requests / 100, calls)
        self.assertLess(calls.get("bpf", 0), 30 * seconds * len(ours), calls)


if __name__ == "__main__":
    unittest.main()
