"""The commands that need an agent, as a person uses them: what they print, their exit codes, and what they leave.

usage: commands_test.py PART
"""

import json
import os
import pathlib
import signal
import subprocess
import sys

from node import BIN, Node, expect, hello_server, wait_until
from machine import Snapshot

POLICY = """
mesh m {{ trust_domain "m.example" }}
identity web = spiffe "web"
identity batch = spiffe "batch"
workload web {{ cgroup "c/web" identity web }}
workload batch {{ cgroup "c/batch" identity batch }}
service s {{
  address 127.0.98.1:80
  address [fd00:98::1]:80
  protocol http
  transport plaintext
  balance round_robin
  endpoint 127.0.0.1:{port}
}}
route s {{ otherwise -> s }}
access s {{ allow from web{when} }}
"""


def policy(port, when=""):
    return POLICY.format(port=port, when=when)


def curl(node, workload, url, *options):
    done = node.heddle("exec", "--control", node.control, workload, "--", "curl", "-s", "-g", "-m", "10", "-w", "\n%{http_code}",
                       "-D", "-", *options, url, check=False)
    return done.stdout


def part_families():
    """One policy, whichever way its service is dialled."""
    with Node("families") as node, hello_server() as port:
        node.cgroup("c/web"), node.cgroup("c/batch")
        node.start(node.build("a", policy(port)))
        for url in ("http://127.0.98.1/", "http://[::ffff:127.0.98.1]/", "http://[fd00:98::1]/"):
            allowed = curl(node, "web", url)
            expect("hello" in allowed and allowed.endswith("\n200"), f"{url} as web:\n{allowed}")
            denied = curl(node, "batch", url)
            expect("x-heddle-rule: access s/default" in denied and denied.endswith("\n403"), f"{url} as batch:\n{denied}")
        # Whoever is no workload finds nobody there.
        node.cgroup("c/other")
        refused = node.run_as("c/other", ["curl", "-s", "-m", "5", "http://127.0.98.1/"])
        expect(refused.wait() == 7, "outside, nothing is led anywhere")


def part_status():
    with Node("status") as node, hello_server() as port:
        node.cgroup("c/web")
        bundle = node.build("a", policy(port))
        node.start(bundle)
        curl(node, "web", "http://127.0.98.1/")
        text = node.heddle("status", "--control", node.control).stdout
        for line in (f"governs {node.root}", "generation 1 of mesh m", f"{node.root}/c/web",
                     "batch                no cgroup yet matches c/batch"):
            expect(line in text, f"`{line}` in:\n{text}")
        counted = [line.split() for line in text.splitlines() if "access s/1" in line]
        expect(counted == [["access", "s/1", "1"]], f"the counter in:\n{text}")
        rules = lambda: {rule["id"]: rule for rule in node.status()["rules"]}
        wait_until(lambda: sum(rules()["route s/otherwise"]["latency_us"]) == 1, "the request's time is counted")
        buckets = rules()["route s/otherwise"]["latency_us"]
        expect(buckets[-1] == 1, f"nothing follows the last request: {buckets}")
        rule = rules()["access s/1"]
        expect(rule["latency_us"] == [], f"it ended no request: {rule}")
        expect(rule["file"] == "a.mesh" and rule["line"] == 16, f"where the rule stands: {rule}")

        broken = node.folder / "broken.bundle"
        broken.write_bytes(bundle.read_bytes()[:-1])
        done = node.heddle("reload", broken, "--control", node.control, check=False)
        expect(done.returncode == 2 and "checksum is wrong" in done.stderr, f"a broken bundle: {done}")
        text = node.heddle("status", "--control", node.control).stdout
        expect("the last reload failed, and the policy before it goes on deciding" in text, text)
        done = node.heddle("reload", node.build("b", policy(port, ' when path is "/x"')), "--control", node.control)
        expect(done.stdout == "generation 2 decides\n", done.stdout)
        expect(curl(node, "web", "http://127.0.98.1/").endswith("\n403"), "the new policy decides")


def part_exec():
    with Node("exec") as node, hello_server() as port:
        node.cgroup("c/web")
        node.start(node.build("a", policy(port)))

        def run(*words):
            return node.heddle("exec", "--control", node.control, *words, check=False)

        inside = run("web", "--", "grep", "^0::", "/proc/self/cgroup").stdout
        expect(inside.strip().endswith("/c/web"), f"its cgroup: {inside}")
        expect(run("web", "--", "sh", "-c", "exit 17").returncode == 17, "the command's exit code is ours")
        for words, code, text in (
                (("wbe", "--", "true"), 2, "did you mean `web`"),
                (("batch", "--", "true"), 2, f"mkdir -p {node.root}/c/batch"),
                (("web", "--", "/no/such/program"), 127, "cannot run `/no/such/program`"),
                (("web", "--", "/etc/passwd"), 126, "cannot run `/etc/passwd`"),
                (("web",), 2, "COMMAND")):
            done = run(*words)
            expect(done.returncode == code and text in done.stderr, f"exec {words}: {done}")


def part_nobody():
    """Without an agent, and after one that was killed."""
    with Node("nobody") as node:
        for command in (("status",), ("exec", "web", "--", "true"), ("reload", node.build("a", policy(1)))):
            done = node.heddle(*command[:1], "--control", node.control, *command[1:], check=False)
            expect(done.returncode == 2 and "no `heddled` answers" in done.stderr, f"{command}: {done}")
        detach = ("detach", "--control", node.control, "--cgroup-root", node.root)
        done = node.heddle(*detach, check=False)
        expect(done.returncode == 2 and "no `heddled` answers" in done.stderr, f"nothing to detach: {done}")
        node.start(node.folder / "a.bundle")
        node.agent.kill()
        node.agent.wait()
        done = node.heddle(*detach)
        expect("left in force" in done.stdout, f"what was left: {done}")
        done = node.heddle(*detach, check=False)
        expect(done.returncode == 2, f"nothing is left: {done}")
        node.agent = None


def part_inspect():
    with Node("inspect") as node:
        bundle = node.build("a", policy(8080))
        text = node.heddle("inspect", bundle).stdout
        for line in ("mesh       m (trust domain m.example)", "requires   kernel ", "access s/1", "a.mesh:16:", "hd_rules",
                     "127.0.98.1:80, [fd00:98::1]:80", "spiffe://m.example/web"):
            expect(line in text, f"`{line}` in:\n{text}")
        document = json.loads(node.heddle("inspect", "--format", "json", bundle).stdout)
        expect(document["manifest"]["mesh"] == "m" and len(document["digest"]) == 64, "JSON")
        expect({"hd_rules", "hd_steps"} <= {table["name"] for table in document["tables"]}, "tables in JSON")
        for content, text in ((b"", "is empty"), (b"HDBUN", "too early"), (bundle.read_bytes()[:-9], "checksum"),
                              (os.urandom(5000), "not a bundle")):
            broken = node.folder / "broken.bundle"
            broken.write_bytes(content)
            done = node.heddle("inspect", broken, check=False)
            expect(done.returncode == 2 and text in done.stderr and "help:" in done.stderr, f"{content[:8]}: {done}")
        done = node.heddle("inspect", node.folder / "none", check=False)
        expect(done.returncode == 2 and "No such file" in done.stderr, f"no file: {done}")


def folders(root):
    return [str(path) for path in root.iterdir() if path.is_dir()]


class Running:
    """A `heddle run` in a session of its own, its output line by line."""

    def __init__(self, node, *paths):
        self.out = node.folder / "run.out"
        self.process = subprocess.Popen([BIN / "heddle", "run", "--control", node.control, "--cgroup-root", node.root, *paths],
                                        stdout=open(self.out, "w"), stderr=subprocess.STDOUT, start_new_session=True)
        node.at_end(self.process.kill)
        self.see("the policy is in force")

    def text(self):
        return self.out.read_text()

    def see(self, text, count=1):
        wait_until(lambda: self.text().count(text) >= count or self.process.poll() is not None, f"`{text}` is said")
        expect(self.text().count(text) >= count, f"`{text}` in:\n{self.text()}")

    def agents(self):
        return [int(pid) for pid in
                pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()]


def part_run():
    """Saved changes take over, broken ones do not, and Ctrl-C ends all of it."""
    with Node("run") as node, hello_server() as port:
        folder = node.folder / "policy"
        folder.mkdir()
        source = folder / "a.mesh"
        source.write_text(policy(port))
        snapshot = Snapshot(str(node.folder))
        run = Running(node, folder)
        expect(curl(node, "web", "http://127.0.98.1/").endswith("\n200"), "allowed")

        source.write_text(policy(port).replace("allow from web", "allow from wbe"))
        run.see("not put in force")
        expect("did you mean `web`" in run.text(), run.text())
        expect(curl(node, "web", "http://127.0.98.1/").endswith("\n200"), "the policy before goes on")

        # As editors save: another file under the name.
        draft = folder / ".a.node.draft"
        draft.write_text(policy(port, ' when path is "/x"'))
        draft.rename(source)
        run.see("the changed policy is in force (generation 2)")
        expect(curl(node, "web", "http://127.0.98.1/").endswith("\n403"), "the changed policy decides")

        # A new file in a new folder, with a workload whose cgroup is not there.
        more = folder / "more"
        more.mkdir()
        (more / "b.mesh").write_text('identity late = spiffe "late"\nworkload late { cgroup "c/late" identity late }\n')
        run.see("the changed policy is in force (generation 3)")
        expect(curl(node, "late", "http://127.0.98.1/").endswith("\n403"), "its workload is there")

        os.killpg(run.process.pid, signal.SIGINT)
        expect(run.process.wait(10) == 0, f"Ctrl-C is the right end:\n{run.text()}")
        leftovers = snapshot.leftovers()
        expect(not leftovers and not folders(node.root), f"left behind: {leftovers} {folders(node.root)}")


def part_run_killed():
    """Whoever of the two is killed, nothing stays in force."""
    with Node("run-killed") as node, hello_server() as port:
        (node.folder / "a.mesh").write_text(policy(port))
        snapshot = Snapshot(str(node.folder) + "/control.sock")
        run = Running(node, node.folder / "a.mesh")
        for pid in run.agents():
            os.kill(pid, signal.SIGKILL)
        expect(run.process.wait(10) == 2 and "the agent ended by itself" in run.text(), run.text())
        leftovers = snapshot.leftovers()
        expect(not leftovers and not folders(node.root), f"after kill -9 of its agent: {leftovers} {folders(node.root)}")

        # Killed itself, it can remove neither its folder nor the cgroups that it made for the workloads.
        run = Running(node, node.folder / "a.mesh")
        run.process.kill()
        run.process.wait()
        leftovers = snapshot.leftovers()
        expect(not leftovers and folders(node.root) == [f"{node.root}/c"], f"after kill -9: {leftovers} {folders(node.root)}")


def part_run_wrong():
    """What cannot begin says why, and leaves nothing."""
    with Node("run-wrong") as node, hello_server() as port:
        source = node.folder / "a.mesh"
        source.write_text(policy(port).replace("allow from web", "allow from wbe"))
        words = ("run", "--control", node.control, "--cgroup-root", node.root)
        done = node.heddle(*words, source, check=False)
        expect(done.returncode == 1 and "did you mean `web`" in done.stderr, f"a wrong policy: {done}")
        source.write_text(policy(port))
        node.start(node.build("a", policy(port)))
        done = node.heddle(*words, source, check=False)
        expect(done.returncode == 2 and "another `heddled` listens" in done.stderr, f"an agent runs: {done}")
        elsewhere = ("run", "--control", node.folder / "other.sock", "--cgroup-root", node.root)
        done = node.heddle(*elsewhere, source, check=False)
        expect(done.returncode == 2 and "another `heddled` governs" in done.stderr, f"the root is governed: {done}")
        done = node.heddle("run", "--cgroup-root", "/tmp", source, check=False)
        expect(done.returncode == 2 and "not a folder of cgroup v2" in done.stderr, f"no cgroup root: {done}")


def main():
    snapshot = Snapshot("heddle-")
    globals()[f"part_{sys.argv[1]}"]()
    leftovers = snapshot.leftovers()
    expect(not leftovers, "left behind:\n  " + "\n  ".join(leftovers))


main()
