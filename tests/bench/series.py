"""A series: some contenders, some numbers of connections, rounds in which all of them take their turn. What is shown and
judged (rows.py) are ratios between two samples of the same round."""

import dataclasses
import statistics
import typing

import check
from load import Load, pace, wrk
from scratch import CannotMeasure

CONNECTIONS = (1, 16, 64)


@dataclasses.dataclass(frozen=True)
class Series:
    name: str
    contenders: tuple
    load: Load = Load()
    seconds: int = 1
    # None: wrk, as fast as it goes. Else a fixed rate: this part of what the first of these contenders that can be had
    # reaches as fast as it goes, measured anew for every number of connections.
    rate_of: typing.Optional[tuple] = None
    rate_part: float = 0.5
    # Awake before a request is due, for latencies; where CPU time counts, the client sleeps.
    spin_us: int = 0
    connections: tuple = CONNECTIONS


@dataclasses.dataclass
class Measured:
    """samples[connections][contender]: one sample a round. missing[contender]: why it could not be measured."""
    samples: dict
    missing: dict
    rates: dict

    def median(self, connections, contender, quantity):
        return statistics.median(sample[quantity] for sample in self.samples[connections][contender])


class Bench:
    """What all series share."""

    def __init__(self, scratch, contenders, rounds, say, seconds=None):
        self.scratch = scratch
        self.contenders = contenders
        self.rounds = rounds
        self.say = say
        self.seconds = seconds  # instead of what a series says
        self.measured = {}

    def measure(self, series):
        if series.name not in self.measured:
            self.measured[series.name] = self._measure(series)
        return self.measured[series.name]

    def _measure(self, series):
        there, missing = {}, {}
        for name in series.contenders:
            try:
                there[name] = self.contenders.get(name)
            except CannotMeasure as error:
                missing[name] = str(error)
        sizes = {name: check.check(each, series.load.request) for name, each in there.items()}
        result = Measured({}, missing, {})
        for connections in series.connections:
            result.rates[connections] = self._rate(series, sizes, connections)
            samples = result.samples[connections] = {name: [] for name in there}
            for number in range(self.rounds):
                self.say(f"{series.name}: {connections} connections, round {number + 1} of {self.rounds}")
                for name, contender in there.items():
                    samples[name].append(self._sample(series, contender, connections, sizes[name], result.rates[connections]))
        for each in there.values():
            check.check(each, series.load.request)
        return result

    def _sample(self, series, contender, connections, size, rate):
        seconds = self.seconds or series.seconds
        if rate is None:
            return wrk(contender, series.load, connections, seconds, size)
        return pace(self.scratch, contender, series.load, connections, seconds, rate, series.spin_us)

    def _rate(self, series, sizes, connections):
        if series.rate_of is None:
            return None
        for name in series.rate_of:
            if name in sizes:
                sample = wrk(self.contenders.get(name), series.load, connections, 1, sizes[name])
                return sample["throughput"] * series.rate_part
        raise CannotMeasure(f"{series.name}: nobody to take the rate from")
