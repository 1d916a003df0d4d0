"""Policies of any size, and requests that their rules decide: what the rows `compile_…` and `rules` are measured with."""

HEAD = """mesh large {
  trust_domain "large.example"
}
identity web = spiffe "ns/large/web"
workload web {
  cgroup "large/web"
  identity web
}
service s {
  address 10.96.0.1:80
  protocol http
  transport plaintext
  subset v1 where version is "v1"
  subset v2 where version is "v2"
  balance round_robin
  endpoint 10.1.0.1:9000 { version "v1" }
  endpoint 10.1.0.2:9000 { version "v2" }
}
access s { allow from any }
route s {
"""
ADDRESS = [10, 96, 0, 1]


def mixed(number):
    """No two are equal; every kind of test of a string, methods, headers, hosts and callers, with `and`, `or` and `not`."""
    path, header = f"/team-{number % 37}/app-{number}", f'header "x-h{number % 20}" is "v{number}"'
    host = f'host is "h{number % 50}.example"'
    return (f'path is "{path}"',
            f'path under "{path}" and method is GET',
            f'path starts "{path}" and ({host} or {header})',
            f"not {host} and {header}",
            f'path like "/team-{number % 37}/{{any}}/{number}" and from web',
            f'path is "{path}/x" or ({host} and {header} and method is POST)')[number % 6]


def mixed_request(number):
    """One that `mixed(number)` holds for, and no other does: path and header."""
    path = f"/team-{number % 37}/app-{number}"
    return ((path, ""), (path, ""), (path, f"x-h{number % 20}: v{number}\r\n"), ("/elsewhere", f"x-h{number % 20}: v{number}\r\n"),
            (f"/team-{number % 37}/any/{number}", ""), (path + "/x", ""))[number % 6]


def expression(number):
    return rf"path matches /\/team-{number % 37}\/(app|job)-{number}(\/[a-z0-9]+)*\/v\d+/"


def policy_text(count, condition):
    rules = (f"  when {condition(number)} -> v{number % 2 + 1}\n" for number in range(count))
    return HEAD + "".join(rules) + "  otherwise -> v1\n}\n"
