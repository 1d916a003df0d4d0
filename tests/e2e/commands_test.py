"""The commands that need an agent, as a person uses them: what they print, their exit codes, and what they leave.

usage: commands_test.py PART
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
from contextlib import closing

from machine import Snapshot
from mesh import BIN, Mesh, expect, wait_until
from servers import Answering

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


def curl(mesh, workload, url, *options):
    done = mesh.heddle("exec", "--control", mesh.control, workload, "--", "curl", "-s", "-g", "-m", "10", "-w", "\n%{http_code}",
                       "-D", "-", *options, url, check=False)
    return done.stdout


def part_families():
    """One policy, whichever way its service is dialled."""
    with Mesh("families") as mesh, closing(Answering("hello")) as server:
        mesh.cgroup("c/web"), mesh.cgroup("c/batch")
        mesh.start(mesh.build("a", policy(server.port)))
        for url in ("http://127.0.98.1/", "http://[::ffff:127.0.98.1]/", "http://[fd00:98::1]/"):
            allowed = curl(mesh, "web", url)
            expect("hello" in allowed and allowed.endswith("\n200"), f"{url} as web:\n{allowed}")
            denied = curl(mesh, "batch", url)
            expect("x-heddle-rule: access s/default" in denied and denied.endswith("\n403"), f"{url} as batch:\n{denied}")
        # Whoever is no workload finds nobody there.
        mesh.cgroup("c/other")
        refused = mesh.run_as("c/other", ["curl", "-s", "-m", "5", "http://127.0.98.1/"])
        expect(refused.wait() == 7, "outside, nothing is led anywhere")


def part_status():
    with Mesh("status") as mesh, closing(Answering("hello")) as server:
        mesh.cgroup("c/web")
        bundle = mesh.build("a", policy(server.port))
        mesh.start(bundle)
        curl(mesh, "web", "http://127.0.98.1/")
        text = mesh.heddle("status", "--control", mesh.control).stdout
        for line in (f"governs {mesh.root}", "generation 1 of mesh m", f"{mesh.root}/c/web",
                     "batch                no cgroup yet matches c/batch"):
            expect(line in text, f"`{line}` in:\n{text}")
        counted = [line.split() for line in text.splitlines() if "access s/1" in line]
        expect(counted == [["access", "s/1", "1"]], f"the counter in:\n{text}")
        rule = next(rule for rule in mesh.status()["rules"] if rule["id"] == "access s/1")
        expect(rule["file"] == "a.mesh" and rule["line"] == 16, f"where the rule stands: {rule}")

        broken = mesh.folder / "broken.bundle"
        broken.write_bytes(bundle.read_bytes()[:-1])
        done = mesh.heddle("reload", broken, "--control", mesh.control, check=False)
        expect(done.returncode == 2 and "checksum is wrong" in done.stderr, f"a broken bundle: {done}")
        text = mesh.heddle("status", "--control", mesh.control).stdout
        expect("the last reload failed, and the policy before it goes on deciding" in text, text)
        done = mesh.heddle("reload", mesh.build("b", policy(server.port, ' when path is "/x"')), "--control", mesh.control)
        expect(done.stdout == "generation 2 decides\n", done.stdout)
        expect(curl(mesh, "web", "http://127.0.98.1/").endswith("\n403"), "the new policy decides")


def part_exec():
    with Mesh("exec") as mesh, closing(Answering("hello")) as server:
        mesh.cgroup("c/web")
        mesh.start(mesh.build("a", policy(server.port)))

        def run(*words):
            return mesh.heddle("exec", "--control", mesh.control, *words, check=False)

        inside = run("web", "--", "grep", "^0::", "/proc/self/cgroup").stdout
        expect(inside.strip().endswith("/c/web"), f"its cgroup: {inside}")
        expect(run("web", "--", "sh", "-c", "exit 17").returncode == 17, "the command's exit code is ours")
        for words, code, text in (
                (("wbe", "--", "true"), 2, "did you mean `web`"),
                (("batch", "--", "true"), 2, f"mkdir -p {mesh.root}/c/batch"),
                (("web", "--", "/no/such/program"), 127, "cannot run `/no/such/program`"),
                (("web", "--", "/etc/passwd"), 126, "cannot run `/etc/passwd`"),
                (("web",), 2, "COMMAND")):
            done = run(*words)
            expect(done.returncode == code and text in done.stderr, f"exec {words}: {done}")


def part_nobody():
    """Without an agent, and after one that was killed."""
    with Mesh("nobody") as mesh:
        for command in (("status",), ("exec", "web", "--", "true"), ("reload", mesh.build("a", policy(1)))):
            done = mesh.heddle(*command[:1], "--control", mesh.control, *command[1:], check=False)
            expect(done.returncode == 2 and "no `heddled` answers" in done.stderr, f"{command}: {done}")
        detach = ("detach", "--control", mesh.control, "--cgroup-root", mesh.root)
        done = mesh.heddle(*detach, check=False)
        expect(done.returncode == 2 and "no `heddled` answers" in done.stderr, f"nothing to detach: {done}")
        mesh.start(mesh.folder / "a.bundle")
        mesh.agent.kill()
        mesh.agent.wait()
        done = mesh.heddle(*detach)
        expect("left in force" in done.stdout, f"what was left: {done}")
        done = mesh.heddle(*detach, check=False)
        expect(done.returncode == 2, f"nothing is left: {done}")
        mesh.agent = None


def part_inspect():
    with Mesh("inspect") as mesh:
        bundle = mesh.build("a", policy(8080))
        text = mesh.heddle("inspect", bundle).stdout
        for line in ("mesh       m (trust domain m.example)", "requires   kernel ", "access s/1", "a.mesh:16:", "hd_rules",
                     "127.0.98.1:80, [fd00:98::1]:80", "spiffe://m.example/web"):
            expect(line in text, f"`{line}` in:\n{text}")
        document = json.loads(mesh.heddle("inspect", "--format", "json", bundle).stdout)
        expect(document["manifest"]["mesh"] == "m" and len(document["digest"]) == 64, "JSON")
        expect({"hd_rules", "hd_steps"} <= {table["name"] for table in document["tables"]}, "tables in JSON")
        for content, text in ((b"", "is empty"), (b"HDBUN", "too early"), (bundle.read_bytes()[:-9], "checksum"),
                              (os.urandom(5000), "not a bundle")):
            broken = mesh.folder / "broken.bundle"
            broken.write_bytes(content)
            done = mesh.heddle("inspect", broken, check=False)
            expect(done.returncode == 2 and text in done.stderr and "help:" in done.stderr, f"{content[:8]}: {done}")
        done = mesh.heddle("inspect", mesh.folder / "none", check=False)
        expect(done.returncode == 2 and "No such file" in done.stderr, f"no file: {done}")


def folders(root):
    return [str(path) for path in root.iterdir() if path.is_dir()]


class Running:
    """A `heddle run` in a session of its own, its output line by line."""

    def __init__(self, mesh, *paths):
        self.out = mesh.folder / "run.out"
        self.process = subprocess.Popen([BIN / "heddle", "run", "--control", mesh.control, "--cgroup-root", mesh.root, *paths],
                                        stdout=open(self.out, "w"), stderr=subprocess.STDOUT, start_new_session=True)
        mesh.at_end(self.process.kill)
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
    with Mesh("run") as mesh, closing(Answering("hello")) as server:
        folder = mesh.folder / "policy"
        folder.mkdir()
        source = folder / "a.mesh"
        source.write_text(policy(server.port))
        snapshot = Snapshot(str(mesh.folder))
        run = Running(mesh, folder)
        expect(curl(mesh, "web", "http://127.0.98.1/").endswith("\n200"), "allowed")

        source.write_text(policy(server.port).replace("allow from web", "allow from wbe"))
        run.see("not put in force")
        expect("did you mean `web`" in run.text(), run.text())
        expect(curl(mesh, "web", "http://127.0.98.1/").endswith("\n200"), "the policy before goes on")

        # As editors save: another file under the name.
        draft = folder / ".a.mesh.draft"
        draft.write_text(policy(server.port, ' when path is "/x"'))
        draft.rename(source)
        run.see("the changed policy is in force (generation 2)")
        expect(curl(mesh, "web", "http://127.0.98.1/").endswith("\n403"), "the changed policy decides")

        # A new file in a new folder, with a workload whose cgroup is not there.
        more = folder / "more"
        more.mkdir()
        (more / "b.mesh").write_text('identity late = spiffe "late"\nworkload late { cgroup "c/late" identity late }\n')
        run.see("the changed policy is in force (generation 3)")
        expect(curl(mesh, "late", "http://127.0.98.1/").endswith("\n403"), "its workload is there")

        os.killpg(run.process.pid, signal.SIGINT)
        expect(run.process.wait(10) == 0, f"Ctrl-C is the right end:\n{run.text()}")
        leftovers = snapshot.leftovers()
        expect(not leftovers and not folders(mesh.root), f"left behind: {leftovers} {folders(mesh.root)}")


def part_run_killed():
    """Whoever of the two is killed, nothing stays in force."""
    with Mesh("run-killed") as mesh, closing(Answering("hello")) as server:
        (mesh.folder / "a.mesh").write_text(policy(server.port))
        snapshot = Snapshot(str(mesh.folder) + "/control.sock")
        run = Running(mesh, mesh.folder / "a.mesh")
        for pid in run.agents():
            os.kill(pid, signal.SIGKILL)
        expect(run.process.wait(10) == 2 and "the agent ended by itself" in run.text(), run.text())
        leftovers = snapshot.leftovers()
        expect(not leftovers and not folders(mesh.root), f"after kill -9 of its agent: {leftovers} {folders(mesh.root)}")

        # Killed itself, it can remove neither its folder nor the cgroups that it made for the workloads.
        run = Running(mesh, mesh.folder / "a.mesh")
        run.process.kill()
        run.process.wait()
        leftovers = snapshot.leftovers()
        expect(not leftovers and folders(mesh.root) == [f"{mesh.root}/c"], f"after kill -9: {leftovers} {folders(mesh.root)}")


def part_run_wrong():
    """What cannot begin says why, and leaves nothing."""
    with Mesh("run-wrong") as mesh, closing(Answering("hello")) as server:
        source = mesh.folder / "a.mesh"
        source.write_text(policy(server.port).replace("allow from web", "allow from wbe"))
        words = ("run", "--control", mesh.control, "--cgroup-root", mesh.root)
        done = mesh.heddle(*words, source, check=False)
        expect(done.returncode == 1 and "did you mean `web`" in done.stderr, f"a wrong policy: {done}")
        source.write_text(policy(server.port))
        mesh.start(mesh.build("a", policy(server.port)))
        done = mesh.heddle(*words, source, check=False)
        expect(done.returncode == 2 and "another `heddled` listens" in done.stderr, f"an agent runs: {done}")
        elsewhere = ("run", "--control", mesh.folder / "other.sock", "--cgroup-root", mesh.root)
        done = mesh.heddle(*elsewhere, source, check=False)
        expect(done.returncode == 2 and "another `heddled` governs" in done.stderr, f"the root is governed: {done}")
        done = mesh.heddle("run", "--cgroup-root", "/tmp", source, check=False)
        expect(done.returncode == 2 and "not a folder of cgroup v2" in done.stderr, f"no cgroup root: {done}")


def main():
    snapshot = Snapshot("heddle-")
    globals()[f"part_{sys.argv[1]}"]()
    leftovers = snapshot.leftovers()
    expect(not leftovers, "left behind:\n  " + "\n  ".join(leftovers))


main()
