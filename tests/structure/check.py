"""Judges a build folder by the rules and returns what is broken, as sentences that begin with the rule's name."""

import rules
from graph import Build


def violations(source, build):
    graph = Build(source, build)
    found = set()
    for unit, file, headers in graph.includes():
        if unit is None:
            found.add(f"every folder is known: {file} is compiled in a folder that rules.py does not list")
            continue
        for header in headers[1:]:
            found.update(_judge_include(graph, unit, file, header))
    found.update(_judge_links(graph.links()))
    return sorted(found)


def _judge_include(graph, unit, file, header):
    relative = graph.relative(header)
    known = rules.unit_of(relative) if relative else None
    if relative and known is None and relative.startswith(("compiler/", "runtime/")):
        yield f"every folder is known: {relative} is in a folder that rules.py does not list"
    for rule in rules.RULES:
        if known and rules.broken_by_unit(rule, unit, file, known):
            yield f"{rule.name}: {file} includes {relative}"
        elif rules.broken_by_header(rule, unit, file, header):
            yield f"{rule.name}: {file} includes {header}"


def _judge_links(targets):
    for name, (unit, libraries) in targets.items():
        if unit is None:
            continue
        for rule in rules.RULES:
            for library in libraries:
                if rules.broken_by_library(rule, unit, library):
                    yield f"{rule.name}: {name} links {library}"
            for reached in _reach(targets, name):
                known = targets[reached][0]
                if known and rules.broken_by_unit(rule, unit, None, known):
                    yield f"{rule.name}: {name} links {reached}"


def _reach(targets, name):
    """Every target of ours that ends up in the link of `name`."""
    seen, pending = set(), [name]
    while pending:
        for library in targets[pending.pop()][1]:
            if library in targets and library not in seen:
                seen.add(library)
                pending.append(library)
    return seen - {name}
