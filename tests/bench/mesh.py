"""Heddle on the bench: its policy, and an agent on a cgroup root of its own."""

import subprocess

from node import Node

from scratch import BIN, CannotMeasure, remove_cgroup, stop

ITEMS = "127.0.90.1"
RULES = "127.0.90.2"

GAUGES = ("flows", "links", "idle_links", "queued_bytes")  # of what `heddle status` tells, these go up and down

MESH = """
mesh bench {{ trust_domain "bench.example" }}
identity client = spiffe "client"
identity server = spiffe "server"
workload client {{ cgroup "client" identity client }}
workload server {{ cgroup "server" identity server }}
{opted_out}

service items {{
  address {items}:80
  protocol http
  transport plaintext
  subset v1 where version is "v1"
  subset v2 where version is "v2"
}}
endpoints items {{
  endpoint 127.0.0.1:{first} {{ version "v1" }}
  endpoint 127.0.0.1:{second} {{ version "v2" }}
}}
access items {{
  allow from client when method in [GET, HEAD]
  deny from any when header "x-debug" present
}}
route items {{
  when path is "/health" -> respond 200 "ok"
  when path under "/v1" -> v1
  when path under "/v2" -> v2
  otherwise -> items
}}
{hundred}
"""
OPTED_OUT = 'workload slow { cgroup "slow" identity client fast_path off }'

# A hundred rules of every kind; the load's request is decided by the last of each block.
HUNDRED = """
service rules {{
  address {rules}:80
  protocol http
  transport plaintext
  subset v1 where version is "v1"
  subset v2 where version is "v2"
}}
endpoints rules {{
  endpoint 127.0.0.2:{first} {{ version "v1" }}
  endpoint 127.0.0.2:{second} {{ version "v2" }}
}}
access rules {{
{access}
}}
route rules {{
{routes}
}}
"""


def hundred_rules(first, second, timeout):
    option = " { timeout 5s }" if timeout else ""
    access, routes = [], []
    for i in range(25):
        access.append(f'  deny from any when path under "/admin/{i}" and header "x-team-{i % 10}" is "t{i}"')
        access.append(f'  allow from client when path under "/area{i}" and method in [GET, POST]')
    access[-1] = '  allow from client when (path under "/items" or path under "/files") and method in [GET, HEAD]'
    for i in range(48):
        if i % 3 == 0:
            routes.append(f'  when path under "/area{i}" -> split {{ {i + 1}% v1, {99 - i}% v2 }}{option}')
        elif i % 3 == 1:
            routes.append(f'  when path is "/page/{i}" and header "x-tenant" is "n{i}" -> v1{option}')
        else:
            routes.append(f'  when host is "h{i}.bench.example" -> v2{option}')
    routes.append(f'  when path under "/items" -> split {{ 50% v1, 50% v2 }}{option}')
    routes.append(f"  otherwise -> rules{option}")
    return HUNDRED.format(rules=RULES, first=first, second=second, access="\n".join(access), routes="\n".join(routes))


class Mesh(Node):
    """Use as a context. `knows_opt_out` and `knows_timeout` say what the language of this build has."""

    def __init__(self, workers=1):
        super().__init__("bench", workers)
        self.knows_opt_out = self.knows_timeout = True

    def __exit__(self, *exception):
        if self.agent:
            # It was started with --detach-at-end.
            stop(self.agent, patience=20)
            self.agent = None
        # Whoever is still inside would keep the cgroups.
        for place in self.root.iterdir():
            if place.is_dir():
                remove_cgroup(place)
        super().__exit__(*exception)

    def heddle(self, *arguments, check=True):
        try:
            return super().heddle(*arguments, check=check)
        except (SystemExit, OSError) as error:
            raise CannotMeasure(str(error)) from None

    def policy(self, ports):
        first, second = ports
        return MESH.format(opted_out=OPTED_OUT if self.knows_opt_out else "", items=ITEMS, first=first, second=second,
                           hundred=hundred_rules(first, second, self.knows_timeout))

    def compile(self, ports):
        """The bundle, with as much of the policy as the language knows."""
        for self.knows_opt_out, self.knows_timeout in ((True, True), (True, False), (False, True), (False, False)):
            (self.folder / "bench.mesh").write_text(self.policy(ports))
            bundle = self.folder / "bench.bundle"
            done = self.heddle("build", self.folder / "bench.mesh", "-o", bundle, "--verify", "off", check=False)
            if done.returncode == 0:
                return bundle
            if "E0013" not in done.stderr:  # not: well formed, and not built yet
                break
        raise CannotMeasure(f"heddle build refuses the policy: {done.stderr.strip()[:600]}")

    def up(self, bundle):
        try:
            self.start(bundle, "--detach-at-end", "--log-level", "warn")
        except SystemExit as error:
            raise CannotMeasure(str(error)) from None

    def down(self):
        """Removes everything of Heddle's from the machine but the cgroups."""
        self.heddle("detach", "--control", self.control)
        try:
            self.agent.wait(20)
        except subprocess.TimeoutExpired:
            raise CannotMeasure("heddled does not end after `heddle detach`") from None
        self.agent = None

    def fast_path(self):
        """What this node's fast path counted so far; an agent that does not tell has decided nothing in the kernel."""
        told = self.status().get("fast_path", {})
        return {name: count for name, count in told.items() if type(count) is int and name not in GAUGES}


def compile_folder(mesh, *paths):
    """A bundle of policy files."""
    bundle = mesh.folder / "folder.bundle"
    done = subprocess.run([BIN / "heddle", "build", *paths, "-o", bundle, "--verify", "off"], capture_output=True, text=True)
    if done.returncode != 0:
        raise CannotMeasure(f"heddle build: {done.stderr.strip()[:600]}")
    return bundle

