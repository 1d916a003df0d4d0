"""The rows: what is compared with what, and what is to be reached. Only what stands under `reach` is typed in."""

import dataclasses
import typing

from contenders import NAMES
from load import CLOSING, LARGE, padded
from series import Series

ALL = NAMES
PROXIES = ("nginx", "haproxy")


@dataclasses.dataclass(frozen=True)
class Verdict:
    against: str  # as results.json says it
    others: tuple  # of several, the better one of each round
    reach: typing.Optional[tuple]  # for each number of connections; None: shown, not judged
    quantity: str = "throughput"
    ours: str = "heddle"
    label: str = "{connections}"  # results.json's `case`
    fast: bool = True  # not ok where fewer than 99% of the requests were decided in the kernel

    @property
    def more_is_better(self):
        return self.quantity == "throughput"


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    about: str
    series: typing.Optional[Series] = None
    verdicts: tuple = ()
    special: str = ""  # a module with `measure(bench, row)` that gives the results itself


SHARE = 0.99


def against_none(reach, **options):
    return Verdict("none", ("none",), reach, **options)


def percentiles(reaches, **options):
    return tuple(against_none((reach,) * 3, quantity=name, label=f"{name} at {{connections}}", **options) for name, reach in reaches)


def compiled(name, about, seconds, mebibytes=None):
    """Not ratios, but what they are measured in stands in the case."""
    return Row(name, f"`heddle build --verify off` of {about}", special="compile_times", verdicts=(
        Verdict("self", (), (seconds,), quantity="seconds", label="seconds"),
        Verdict("self", (), mebibytes and (mebibytes,), quantity="MiB", label="MiB of the bundle")))


HTTP = Series("node_http", ALL, seconds=2)
HEADS = {size: Series(f"node_http_heads {size}", ALL, load=padded(size)) for size in (480, 2048)}
CPU_HANDLER = Series("handler_http cpu", ("handler", "haproxy"), seconds=2, rate_of=("haproxy", "handler"), rate_part=0.5)

ROWS = (
    Row("node_http", "HTTP/1.1 routed between two servers, with access rules", HTTP, (
        against_none((1.03, 1.25, 1.25)),
        Verdict("ceiling", ("ceiling",), (0.9, 0.9, 0.9)))),
    *(Row("node_http_heads", f"request heads of {size} bytes", series, (
        against_none((1.0, 1.15, 1.15), label=f"{{connections}}, {size} byte heads"),)) for size, series in HEADS.items()),
    Row("node_http_rules", "the same with a hundred rules", Series("node_http_rules", ("none", "heddle", "heddle_rules"), seconds=2), (
        Verdict("node_http", ("heddle",), (0.95, 0.95, 0.95), ours="heddle_rules"),)),
    Row("node_http_64k", "responses of 64 KiB", Series("node_http_64k", ALL, load=LARGE), (
        against_none((1.05, 1.2, 1.2)),
        *percentiles((("p99", 1.0),)))),
    Row("node_http_proxy", "the samples of node_http against other proxies", HTTP, (
        Verdict("proxy", PROXIES, (1.3, 2.3, 2.3)),
        Verdict("envoy", ("envoy",), (2.3, 5, 6)))),
    Row("node_http_latency", "latency at half the load that no mesh can take",
        Series("node_http_latency", ("none", "ceiling", "heddle"), seconds=2, rate_of=("none",), spin_us=50),
        percentiles((("p50", 0.9), ("p99", 1.0), ("p99.9", 1.2)))),
    Row("node_cpu", "CPU seconds of the whole machine for a million requests, at a rate that all can take",
        Series("node_cpu", ("none", "ceiling", "heddle", "handler", "haproxy", "envoy"), seconds=2,
               rate_of=("envoy", "haproxy", "nginx", "heddle"), rate_part=0.6), (
            against_none((1.0, 1.0, 1.0), quantity="cpu", label="cpu at {connections}"),
            Verdict("envoy", ("envoy",), None, quantity="cpu", label="cpu at {connections}"))),
    Row("node_newconn", "a new connection for every request", Series("node_newconn", ALL, load=CLOSING), (
        Verdict("proxy", PROXIES, (1.0, 1.0, 1.0), fast=False),)),
    Row("handler_http", "the handler alone", Series("handler_http", ("handler", "haproxy"), seconds=2), (
        Verdict("haproxy", ("haproxy",), (1.0, 1.0, 1.0), ours="handler", fast=False),)),
    Row("handler_http", "the handler alone: CPU of the whole machine at half of haproxy's rate", CPU_HANDLER, (
        Verdict("haproxy", ("haproxy",), (1.0, 1.0, 1.0), quantity="cpu", ours="handler", label="cpu at {connections}", fast=False),)),
    compiled("compile_routes_1000", "1,000 mixed routes on one service", 0.5),
    compiled("compile_routes_10000", "10,000 of them", 5),
    compiled("compile_regexes_1000", "1,000 routes with an expression each", 10, 64),
    Row("rules", "what a decision costs by 10,000 rules, against 10", special="rules", verdicts=(
        Verdict("self", (), (1.5,), quantity="ns", label="10,000 rules / 10"),)),
    Row("memory", "memory, idle, with the policy of examples/bookinfo", special="memory"),
    Row("bystander", "a process outside the mesh, with Heddle on the machine and without", special="bystander"),
)
