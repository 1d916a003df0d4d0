"""Writes a policy of 1,000 routes of mixed shape, with tests whose expectations this script works out by itself.

usage: thousand_routes.py FOLDER [COUNT]
The shapes are path `is`, `under` and `starts`, header, method and host with `and`, `or` and `not`; no two rules are equal and
a third overlaps an earlier one. Conditions are trees here, matched in a few lines of Python that share nothing with the
compiler: a third opinion beside evaluator and compiled function.
"""

import pathlib
import random
import sys

HEADERS = [f"x-route-{index}" for index in range(8)]
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"]


class Request:
    def __init__(self, path="/", method="GET", host="big", headers=()):
        self.path, self.method, self.host, self.headers = path, method, host, dict(headers)

    def text(self):
        parts = [f'send {self.method} "{self.path}" to big from caller']
        if self.host != "big":
            parts.append(f'with host "{self.host}"')
        parts += [f'with header "{name}" "{value}"' for name, value in sorted(self.headers.items())]
        return " ".join(parts)


def matches(condition, request):
    kind, *rest = condition
    if kind in ("and", "or"):
        return (all if kind == "and" else any)(matches(part, request) for part in rest)
    if kind == "not":
        return not matches(rest[0], request)
    if kind == "path is":
        return request.path == rest[0]
    if kind == "path under":
        return request.path == rest[0] or request.path.startswith(rest[0] + "/")
    if kind == "path starts":
        return request.path.startswith(rest[0])
    if kind == "host is":
        return request.host == rest[0]
    if kind == "method in":
        return request.method in rest[0]
    if kind == "present":
        return rest[0] in request.headers
    if kind == "header is":
        return request.headers.get(rest[0]) == rest[1]
    raise ValueError(kind)


def text(condition, nested=False):
    kind, *rest = condition
    if kind in ("and", "or"):
        joined = f" {kind} ".join(text(part, True) for part in rest)
        return f"({joined})" if nested else joined
    if kind == "not":
        return "not " + text(rest[0], True)
    if kind == "method in":
        return f"method in [{', '.join(rest[0])}]"
    if kind == "present":
        return f'header "{rest[0]}" present'
    if kind == "header is":
        return f'header "{rest[0]}" is "{rest[1]}"'
    return f'{kind} "{rest[0]}"'


def shape(index):
    """Rule number `index` and a request made for it."""
    header, other = HEADERS[index % 8], HEADERS[(index + 3) % 8]
    methods = [METHODS[index % 6], METHODS[(index + 1) % 6]]
    spot = f"/area{index}/item"
    if index % 3 == 2:
        # Overlaps the rule before it: below, or at, the same place.
        spot = f"/area{index - 1}/item"
    return [
        lambda: (("path is", f"{spot}/{index}"), Request(f"{spot}/{index}")),
        lambda: (("and", ("path under", spot), ("header is", header, f"v{index}")),
                 Request(f"{spot}/deep/er", headers={header: f"v{index}"})),
        lambda: (("path starts", f"{spot}-{index % 7}"), Request(f"{spot}-{index % 7}-tail")),
        lambda: (("and", ("method in", methods), ("path under", spot)), Request(f"{spot}/x", method=methods[1])),
        lambda: (("and", ("host is", f"h{index}.example"), ("not", ("path is", "/private"))),
                 Request(spot, host=f"h{index}.example")),
        lambda: (("and", ("or", ("header is", header, f"a{index}"), ("header is", other, f"b{index}")), ("path under", spot)),
                 Request(spot, headers={other: f"b{index}"})),
        lambda: (("and", ("not", ("or", ("method in", methods), ("present", header))), ("path starts", f"{spot}~")),
                 Request(f"{spot}~{index}", method=METHODS[(index + 3) % 6])),
        lambda: (("header is", header, f"only{index}"), Request("/elsewhere", headers={header: f"only{index}"})),
        lambda: (("path under", f"{spot}/sub{index}"), Request(f"{spot}/sub{index}/leaf")),
    ][index % 9]()


def variations(request, random_source):
    """The request as it is, and changed a little: most of these hit another rule, or none."""
    yield request
    yield Request(request.path + "x", request.method, request.host, request.headers)
    yield Request(request.path, random_source.choice(METHODS), request.host, {})


def expectation(rules, request):
    for number, condition in enumerate(rules, start=1):
        if matches(condition, request):
            return number
    return None


def write(folder, count):
    random_source = random.Random(count)
    shapes = [shape(index) for index in range(count)]
    rules = [condition for condition, _ in shapes]
    assert len({text(rule) for rule in rules}) == count, "two rules are equal"
    targets = ["v1", "v2", "v3", "big", "split { 30% v1, 70% v2 }", 'respond 200 "here"']
    lines = [f"  when {text(rule)} -> {targets[index % len(targets)]}" for index, rule in enumerate(rules)]
    hit, cases = set(), []
    for number, (_, made_for) in enumerate(shapes, start=1):
        for request in variations(made_for, random_source):
            found = expectation(rules, request)
            hit.add(found)
            cases.append(f'  {request.text()}\n  expect rule "route big/{found or "otherwise"}"')
    assert len(hit - {None}) > count * 0.9, "too few rules are ever hit"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "big.mesh").write_text("\n".join([
        'mesh big { trust_domain "big.example" }', 'identity caller = spiffe "ns/big/sa/caller"',
        'workload caller { cgroup "big/caller" identity caller }',
        "service big {", "  address 127.0.90.1:19080", "  protocol http", "  transport plaintext",
        *(f'  subset v{index} where version is "v{index}"' for index in (1, 2, 3)), "  balance round_robin", "}",
        "endpoints big {", *(f'  endpoint 127.0.91.{index}:19080 {{ version "v{index}" }}' for index in (1, 2, 3)), "}",
        "access big { allow from caller }", "route big {", *lines, "  otherwise -> big", "}", ""]))
    (folder / "tests.mesh").write_text("\n".join(['test "every rule decides what it says" {', *cases, "}", ""]))
    print(f"{count} routes, {len(cases)} requests, {len(hit - {None})} rules hit")


write(pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
