"""Two nodes: a network namespace each, joined by a veth pair, with an agent, servers and clients in each of them."""

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

BIN = pathlib.Path(os.environ["HEDDLE_BIN_DIR"]).resolve()
TIMEOUT = 30
ADDRESSES = {"a": ("10.77.0.1", "fd77::1"), "b": ("10.77.0.2", "fd77::2")}
SERVICE = ("10.96.77.1", "fd00:77::1")
PORT = 9080


def run(*command, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Authority:
    """Certificates by OpenSSL's command, right ones and wrong ones."""

    def __init__(self, folder, trust_domain="two.example", name="ca"):
        self.folder, self.trust_domain, self.name = pathlib.Path(folder), trust_domain, name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.key, self.certificate = self.folder / f"{name}.key", self.folder / f"{name}.pem"
        self._key(self.key)
        config = self._config(f"""basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectAltName=URI:spiffe://{trust_domain}""")
        run("openssl", "req", "-x509", "-new", "-key", self.key, "-days", "2", "-subj", f"/CN={name}", "-config", config, "-extensions", "v",
            "-out", self.certificate)

    @staticmethod
    def _key(path):
        run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)
        path.chmod(0o600)

    def _config(self, extensions):
        path = self.folder / f"config-{threading.get_ident()}"
        path.write_text(f"[req]\ndistinguished_name=d\n[d]\n[v]\n{extensions}\n")
        return path

    def issue(self, into, path, seconds=3600, constraints="critical,CA:FALSE", usage="critical,digitalSignature", uris=None, bundle=None,
              self_signed=False, starts=-60):
        """A folder as the agent reads it, whole or not at all."""
        into = pathlib.Path(into)
        fresh = into.with_name(f".{into.name}-{time.monotonic_ns()}")
        fresh.mkdir(parents=True)
        self._key(fresh / "key.pem")
        names = [f"spiffe://{self.trust_domain}/{path}"] if uris is None else uris
        alternative = "\nsubjectAltName=" + ",".join(f"URI:{name}" for name in names) if names else ""
        config = self._config(f"basicConstraints={constraints}\nkeyUsage={usage}\nextendedKeyUsage=serverAuth,clientAuth{alternative}")
        request = fresh / "request"
        run("openssl", "req", "-new", "-key", fresh / "key.pem", "-subj", "/CN=leaf", "-config", config, "-out", request)
        now = time.time()
        stamp = [time.strftime("%Y%m%d%H%M%SZ", time.gmtime(now + offset)) for offset in (starts, seconds)]
        database = fresh / "database"
        database.mkdir()
        (database / "index").write_text("")
        ca = database / "config"
        ca.write_text(f"""[ca]
default_ca=own
[own]
database={database}/index
new_certs_dir={database}
rand_serial=yes
default_md=sha256
policy=any
[any]
commonName=optional
[v]
{config.read_text().split('[v]')[1]}""")
        sign = ("-selfsign", "-keyfile", fresh / "key.pem") if self_signed else ("-cert", self.certificate, "-keyfile", self.key)
        run("openssl", "ca", "-batch", "-notext", "-config", ca, "-extensions", "v", *sign, "-startdate", stamp[0], "-enddate", stamp[1],
            "-in", request, "-out", fresh / "svid.pem")
        shutil.rmtree(database)
        request.unlink()
        (fresh / "bundle.pem").write_text("".join(each.certificate.read_text() for each in (bundle or [self])))
        if into.exists():
            old = into.with_name(f".old-{into.name}-{time.monotonic_ns()}")
            into.rename(old)
            fresh.rename(into)
            shutil.rmtree(old)
        else:
            fresh.rename(into)


POLICY = """mesh two {{ trust_domain "two.example" }}
identity web    = spiffe "ns/two/sa/web"
identity api    = spiffe "ns/two/sa/api"
identity foe    = spiffe "ns/two/sa/foe"
workload web {{ cgroup "web.service" identity web }}
workload foe {{ cgroup "foe.service" identity foe }}
workload api {{ cgroup "api.service" identity api }}
service echo {{
  address   {service[0]}:80, [{service[1]}]:80
  protocol  http
  transport mtls
  identity  api
}}
endpoints echo {{
{endpoints}
}}
access echo {{
  {access}
}}
{extra}
"""


def policy(access="allow from web", extra="", endpoints=None):
    lines = endpoints or [f"{ADDRESSES['b'][0]}:{PORT}"]
    return POLICY.format(service=SERVICE, access=access, extra=extra, endpoints="\n".join(f"  endpoint {each}" for each in lines))


class Node:
    def __init__(self, world, name):
        self.world, self.name = world, name
        self.netns = f"heddle-{os.getpid()}-{name}"
        self.folder = world.folder / name
        self.identities = self.folder / "identities"
        self.identities.mkdir(parents=True)
        self.root = cgroup_mount() / f"heddle-nodes-{os.getpid()}-{name}"
        for workload in ("web", "foe", "api"):
            (self.root / f"{workload}.service").mkdir(parents=True)
        self.control = str(self.folder / "control.sock")
        self.log = self.folder / "log"
        self.agent = None
        run("ip", "netns", "add", self.netns)
        run("ip", "-n", self.netns, "link", "set", "lo", "up")

    def inside(self, *command):
        return ["nsenter", f"--net=/run/netns/{self.netns}", *map(str, command)]  # `ip netns exec` would hide the cgroups

    def start(self, bundle, workers=2):
        with open(self.log, "ab") as log:
            self.agent = subprocess.Popen(self.inside(BIN / "heddled", "--bundle", bundle, "--control", self.control, "--cgroup-root", self.root,
                                                      "--identities", self.identities, "--workers", workers, "--detach-at-end"), stderr=log)
        end = time.monotonic() + TIMEOUT
        while not self.status():
            if self.agent.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"heddled of {self.name} is not there:\n" + self.text_of_log())
            time.sleep(0.02)

    def status(self):
        done = subprocess.run([BIN / "heddle", "status", "--control", self.control], capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else ""

    def text_of_log(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def wait_log(self, text):
        end = time.monotonic() + TIMEOUT
        while text not in self.text_of_log():
            if time.monotonic() > end:
                raise AssertionError(f"`{text}` is not in the log of {self.name}:\n{self.text_of_log()}")
            time.sleep(0.02)

    def popen(self, workload, command, **options):
        procs = str(self.root / f"{workload}.service" / "cgroup.procs")

        def enter():
            with open(procs, "w") as file:
                file.write("0")

        return subprocess.Popen(self.inside(*command), preexec_fn=enter, **options)

    def curl(self, workload, *arguments, url=f"http://{SERVICE[0]}/x"):
        """Exit code, status, headers and body."""
        process = self.popen(workload, ["curl", "-sS", "-m", str(TIMEOUT), "-i", *arguments, url], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        out, err = process.communicate(timeout=TIMEOUT * 2)
        head, _, body = out.partition(b"\r\n\r\n")
        status = int(head.split(b" ")[1]) if head.startswith(b"HTTP/") else 0
        return process.returncode, status, head.decode(errors="replace") + err.decode(errors="replace"), body

    def end(self):
        if self.agent is not None and self.agent.poll() is None:
            self.agent.terminate()
            self.agent.wait(TIMEOUT)
        self.agent = None

    def close(self):
        self.end()
        subprocess.run(["ip", "netns", "del", self.netns], capture_output=True)
        for _ in range(100):
            try:
                for path in [*self.root.glob("*"), self.root]:
                    if path.is_dir():
                        path.rmdir()
                return
            except OSError:
                time.sleep(0.05)


class World:
    """`text`: the policy of both nodes."""

    def __init__(self, text=None, workers=2, start=True):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="heddle-nodes-"))
        self.processes = []
        self.nodes = []
        try:
            self.a, self.b = (self._add(name) for name in "ab")
            link = f"hd{os.getpid()}"
            run("ip", "link", "add", f"{link}a", "netns", self.a.netns, "type", "veth", "peer", "name", f"{link}b", "netns", self.b.netns)
            for node in self.nodes:
                four, six = ADDRESSES[node.name]
                device = f"{link}{node.name}"
                run("ip", "-n", node.netns, "addr", "add", f"{four}/24", "dev", device)
                run("ip", "-n", node.netns, "addr", "add", f"{six}/64", "dev", device, "nodad")
                run("ip", "-n", node.netns, "link", "set", device, "up")
                # Services' addresses are nobody's, but a route has to lead somewhere.
                run("ip", "-n", node.netns, "route", "add", "default", "dev", device)
                run("ip", "-n", node.netns, "-6", "route", "add", "default", "dev", device)
                node.device = device
            self.ca = Authority(self.folder / "ca")
            self.ca.issue(self.a.identities / "web", "ns/two/sa/web")
            self.ca.issue(self.a.identities / "foe", "ns/two/sa/foe")
            self.ca.issue(self.b.identities / "api", "ns/two/sa/api")
            self.bundle = self.build(text or policy())
            if start:
                for node in self.nodes:
                    node.start(self.bundle, workers)
        except BaseException:
            self.close()
            raise

    def _add(self, name):
        self.nodes.append(Node(self, name))
        return self.nodes[-1]

    def build(self, text, name="policy"):
        source = self.folder / f"{name}.mesh"
        source.write_text(text)
        bundle = self.folder / f"{name}.bundle"
        run(BIN / "heddle", "build", "--verify", "off", source, "-o", bundle)
        return bundle

    def serve(self, node, program, *arguments, workload="api"):
        """A server that says a line when it is ready."""
        process = node.popen(workload, [sys.executable, "-B", program, *arguments], stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        if not process.stdout.readline():
            raise AssertionError(f"{program} does not start")
        return process

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
            process.stdout.close()
        for node in self.nodes:
            node.close()
        shutil.rmtree(self.folder, ignore_errors=True)
