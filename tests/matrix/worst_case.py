"""Writes a policy that asks as much of the verifier as the language allows: as many rules as are code and no tables, conditions
nested as deep as the parser takes them, the most names, audits and limits of one service, long literals and expressions.

usage: worst_case.py FOLDER
"""

import pathlib
import random
import sys

RULES = 32  # more are tables
NAMES = 32
AUDITS = 16
LIMITS = 16
DEPTH = 60

LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Worst:
    def __init__(self):
        self.random = random.Random(1)
        self.number = 0
        self.fews = 0

    def word(self, length):
        self.number += 1
        return f"{self.number}" + "".join(self.random.choice(LETTERS) for _ in range(length))

    def test(self):
        name = self.random.randrange(NAMES)
        kind = ("header", "query", "cookie")[name % 3]
        return self.random.choice([
            lambda: f'{kind} "n{name}" is "{self.word(40)}"',
            lambda: f'{kind} "n{name}" starts "{self.word(8)}"',
            lambda: f'header "n0" contains "{self.word(3)}"' if self.few() else f'{kind} "n{name}" absent',
            lambda: f'header "n3" ends "{self.word(6)}" ignoring case' if self.few() else f'{kind} "n{name}" present',
            lambda: f'{kind} "n{name}" present',
            lambda: f'path under "/{self.word(30)}"',
            lambda: f'path like "/{self.word(4)}/{{x}}/{self.word(4)}/**"',
            lambda: f'host under "{self.word(5)}.example"',
            lambda: f"method in [{self.word_of_method()}, GET]",
            lambda: f"from {self.random.choice(('web', 'cart', 'batch'))}",
            lambda: f"address in [10.{self.number % 200}.0.0/16]",
        ])()

    def few(self):
        """What multiplies states: a handful is what an attribute has room for."""
        self.fews += 1
        return self.fews <= 16

    def word_of_method(self):
        return self.random.choice(["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])

    def condition(self, depth):
        """As deep as is said, with another test at each step."""
        text = self.test()
        for step in range(depth):
            joint = " and " if step % 2 else " or "
            text = f"{'not ' if step % 5 == 0 else ''}({text}){joint}{self.test()}"
        return text

    def policy(self):
        whole = "/" + self.word(3000)
        expression = "|".join(f"{self.word(2)}[a-z]{{1,30}}{self.word(2)}" for _ in range(60))
        access = [f"  {'deny ' if i % 2 else 'allow'} from {'any' if i % 3 else 'web, cart'} when {self.condition(DEPTH)}" for i in range(RULES)]
        audits = [f"  audit deny from any when {self.condition(DEPTH)}" for _ in range(AUDITS)]
        routes = [f"  when {self.condition(DEPTH)} -> {self.target(i)}" for i in range(RULES - 3)]
        routes += [f'  when path is "{whole}" -> v1', f"  when path matches /\\/({expression})/ -> v2"]
        limits = [f"limit l{i} on big {{ when {self.condition(8)}  rate {i + 1}/s burst 5  key identity, address, header \"n{i * 3 % NAMES // 3 * 3}\" }}"
                  for i in range(LIMITS)]
        return "\n".join([
            'mesh worst { trust_domain "worst.example"  paths merge }',
            *(f'identity {name} = spiffe "ns/{name}"\nworkload {name} {{ cgroup "worst/{name}"  identity {name} }}' for name in ("web", "cart", "batch")),
            "service big {", "  address 127.0.92.1:19080", "  protocol http", "  transport plaintext", "  balance least_request",
            "  at_most 100 connections, 10 pending", "  eject after 5 failures for 30s at_most 50%",
            '  subset v1 where version is "v1"', '  subset v2 where version is "v2"', "}",
            "service other {", "  address 127.0.92.2:19080", "  protocol http", "  transport plaintext", '  balance maglev by header "n0"',
            *(f"  endpoint 127.0.93.{i}:19081" for i in range(1, 33)), "}",
            "endpoints big {", *(f'  endpoint 127.0.93.{i}:19080 {{ version "v{1 + i % 2}" }}' for i in range(1, 65)), "}",
            f"access other {{ allow from web when {self.condition(DEPTH)} }}",
            "access big {", *access, *audits, "}", *limits, "route big {", *routes, "  otherwise -> big", "}", ""])

    def target(self, number):
        return ["v1", "v2", "big", "other", "split by cookie \"n2\" { 10% v1, 20% v2, 70% other }", 'respond 200 "here"',
                'redirect 308 scheme "https" port 8443'][number % 7]


folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
(folder / "worst.mesh").write_text(Worst().policy())
