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
    notes: dict

    def median(self, connections, contender, quantity):
        return statistics.median(sample[quantity] for sample in self.samples[connections][contender])


class Turn:
    """Contenders take their turn; who fails once, or answers wrong, is out of the series, and the others go on."""

    def __init__(self):
        self.there, self.sizes, self.missing = {}, {}, {}

    def take(self, name, step):
        try:
            step()
        except CannotMeasure as error:
            self.missing[name] = str(error)
            self.there.pop(name, None)

    def each(self, step):
        for name, contender in list(self.there.items()):
            self.take(name, lambda: step(name, contender))


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
        turn = Turn()
        for name in series.contenders:
            turn.take(name, lambda: turn.there.update({name: self.contenders.get(name)}))
        turn.each(lambda name, each: turn.sizes.update({name: check.check(each, series.load.request)}))
        result = Measured({}, turn.missing, {}, {name: each.note for name, each in turn.there.items() if each.note})
        for connections in series.connections:
            rate = result.rates[connections] = self._rate(series, turn, connections)
            samples = result.samples[connections] = {name: [] for name in turn.there}
            for number in range(self.rounds):
                self.say(f"{series.name}: {connections} connections, round {number + 1} of {self.rounds}")
                turn.each(lambda name, each: samples[name].append(
                    self._sample(series, each, connections, turn.sizes[name], rate)))
        turn.each(lambda name, each: check.check(each, series.load.request))
        for samples in result.samples.values():
            for name in turn.missing:
                samples.pop(name, None)
        return result

    def _sample(self, series, contender, connections, size, rate):
        seconds = self.seconds or series.seconds
        if rate is None:
            return wrk(contender, series.load, connections, seconds, size)
        return pace(self.scratch, contender, series.load, connections, seconds, rate, series.spin_us)

    def _rate(self, series, turn, connections):
        if series.rate_of is None:
            return None
        for name in series.rate_of:
            if name in turn.there:
                sample = wrk(turn.there[name], series.load, connections, 1, turn.sizes[name])
                return sample["throughput"] * series.rate_part
        raise CannotMeasure(f"{series.name}: nobody to take the rate from")
