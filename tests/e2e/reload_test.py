"""Policies take over under load: no request is lost, none is decided by two policies, open connections follow.

usage: reload_test.py under_load | open_connection | one_call
"""

import http.client
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import machine
from mesh import Mesh, expect, wait_until
from servers import Answering

COMMON = """
mesh m {{ trust_domain "m.example" }}
identity web = spiffe "web"
workload web {{ cgroup "web" identity web }}
service s {{
  address 127.0.99.1:80
  protocol http
  transport plaintext
  balance round_robin
  subset one where v is "1"
  subset two where v is "2"
  endpoint 127.0.0.1:{one} {{ v "1" }}
  endpoint 127.0.0.1:{two} {{ v "2" }}
}}
"""

# What was decided by A alone is an answer of `one`, by B alone a 403; `two` is access of A and route of B.
POLICY_A = COMMON + """
route s { when path under "/a" and not header "x" present -> one  when method is POST -> two  otherwise -> one }
access s { allow from web }
"""
POLICY_B = COMMON + """
route s { when header "y" absent or host is "elsewhere" -> two  otherwise -> two }
access s { allow from web when path is "/never"  deny from any when path under "/a" }
"""

# Every answer is one that one of the two policies gives; wrk counts its own errors besides.
LUA = """
local bad = 0
local seen = {}
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init() ok, denied, mixed, other = 0, 0, 0, 0 end
function response(status, headers, body)
  if status == 200 and body == "one" then ok = ok + 1
  elseif status == 403 and headers["x-heddle-rule"] == "access s/2" then denied = denied + 1
  elseif status == 200 then mixed = mixed + 1
  else other = other + 1 end
end
function done(summary, latency, requests)
  local sums = { ok = 0, denied = 0, mixed = 0, other = 0 }
  for _, thread in ipairs(threads) do
    for name in pairs(sums) do sums[name] = sums[name] + thread:get(name) end
  end
  local errors = summary.errors
  print(string.format("RESULT %d %d %d %d %d", sums.ok, sums.denied, sums.mixed, sums.other,
        errors.connect + errors.read + errors.write + errors.timeout))
end
"""


def two_servers(mesh):
    one, two = Answering("one"), Answering("two")
    mesh.at_end(one.close)
    mesh.at_end(two.close)
    return one, two


def with_ports(text, one, two):
    head, rest = text[:len(COMMON)], text[len(COMMON):]
    return head.format(one=one.port, two=two.port) + rest


def under_load(reloads=100):
    with Mesh("reload") as mesh:
        one, two = two_servers(mesh)
        bundles = [mesh.build(name, with_ports(text, one, two)) for name, text in (("a", POLICY_A), ("b", POLICY_B))]
        mesh.start(bundles[0])
        script = mesh.folder / "check.lua"
        script.write_text(LUA)
        wrk = mesh.run_as("web", ["wrk", "-t2", "-c32", "-d600s", "-s", script, "http://127.0.99.1/a/b"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        def decided():
            return sum(rule["decisions"] for rule in mesh.status()["rules"])
        for n in range(reloads):
            before = decided()
            mesh.reload(bundles[(n + 1) % 2])
            wait_until(lambda: decided() > before + 50, "requests go on after a reload")
        wrk.send_signal(signal.SIGINT)
        output, _ = wrk.communicate(timeout=60)
        print(output)
        line = next(l for l in output.splitlines() if l.startswith("RESULT"))
        ok, denied, mixed, other, errors = map(int, line.split()[1:])
        print(f"{reloads} reloads: {ok} answers by A, {denied} by B, {mixed} mixed, {other} other, {errors} errors")
        expect(mixed == 0 and other == 0 and errors == 0, line)
        expect(ok > 1000 and denied > 1000, "both policies decided many requests")


def open_connection():
    with Mesh("open") as mesh:
        one, two = two_servers(mesh)
        allow = mesh.build("allow", with_ports(POLICY_A, one, two))
        deny = mesh.build("deny", with_ports(COMMON, one, two))
        mesh.start(allow)
        with mesh.inside("web"):
            client = http.client.HTTPConnection("127.0.99.1", 80, timeout=10)
            client.request("GET", "/a")
            answer = client.getresponse()
            expect((answer.status, answer.read()) == (200, b"one"), "the first policy lets the request through")
            socket_before = client.sock
            mesh.reload(deny)
            client.request("GET", "/a")
            answer = client.getresponse()
            expect(answer.status == 403, f"the same connection after the reload: {answer.status}")
            expect(answer.getheader("x-heddle-rule") == "access s/default", str(answer.getheaders()))
            answer.read()
            expect(client.sock is socket_before, "it was the same connection")


def one_call():
    """64 heads that are ready at the same moment are decided by one call: the kernel counts its runs of `decide`."""
    with Mesh("calls", workers=1) as mesh:
        one, two = two_servers(mesh)
        before = set(machine.programs())
        mesh.start(mesh.build("a", with_ports(POLICY_A, one, two)))
        decide = [number for number, name in machine.programs().items() if name == "decide" and number not in before]
        expect(len(decide) == 1, f"one program `decide`: {decide}")
        [worker] = mesh.worker_pids()
        stats = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")
        old = stats.read_text()
        stats.write_text("1")
        try:
            with mesh.inside("web"):
                clients = [socket.create_connection(("127.0.99.1", 80), timeout=10) for _ in range(64)]
                # Everybody is served once, so that nothing but the next heads is left to do.
                for client in clients:
                    client.sendall(b"GET /a HTTP/1.1\r\nHost: s\r\n\r\n")
                for client in clients:
                    expect(b"one" in client.recv(65536), "an answer")
                wait_until(lambda: b"S" in pathlib.Path(f"/proc/{worker}/stat").read_bytes().split()[2], "the worker is idle")
                # Its events of these answers are on their way or gone: both before the stop.
                time.sleep(0.3)
                os.kill(worker, signal.SIGSTOP)
                runs, heads = machine.run_count(decide[0]), one.received.count(b"GET /a")
                one.answering.clear()
                for client in clients:
                    client.sendall(b"GET /a HTTP/1.1\r\nHost: s\r\n\r\n")
                os.kill(worker, signal.SIGCONT)
                wait_until(lambda: one.received.count(b"GET /a") == heads + 64, "all heads have reached the server")
                calls = machine.run_count(decide[0]) - runs
                one.answering.set()
                expect(calls == 1, f"{calls} calls for 64 ready heads")
                for client in clients:
                    expect(b"one" in client.recv(65536), "an answer")
        finally:
            stats.write_text(old)


if __name__ == "__main__":
    {"under_load": under_load, "open_connection": open_connection, "one_call": one_call}[sys.argv[1]]()
