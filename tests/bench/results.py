"""From samples to results: one line for each thing that is judged, in the form of results.json."""

import dataclasses
import statistics
import typing

import load
from rows import SHARE


@dataclasses.dataclass
class Result:
    row: str
    case: str
    against: str
    ratio: typing.Optional[float] = None
    min: typing.Optional[float] = None
    max: typing.Optional[float] = None
    reach: typing.Optional[float] = None
    ok: typing.Optional[bool] = None  # None: shown, not judged
    note: str = ""  # why it could not be measured, or is not ok whatever the ratio

    def for_json(self):
        return {key: value for key, value in dataclasses.asdict(self).items() if key != "note"}

    @property
    def measured(self):
        return self.ratio is not None


def judged(row, case, against, ratios, reach, more_is_better, spoiled=""):
    """`spoiled`: why it is not ok whatever the ratio."""
    result = Result(row, case, against, statistics.median(ratios), min(ratios), max(ratios), reach, note=spoiled)
    if reach is not None:
        result.ok = not spoiled and (result.ratio >= reach if more_is_better else result.ratio <= reach)
    return result


def missing(row, case, against, reach, why):
    return Result(row, case, against, reach=reach, ok=False, note=why)


def results_of(row, measured):
    found = []
    for verdict in row.verdicts:
        for index, connections in enumerate(row.series.connections):
            found.append(_result(row, verdict, measured, connections, verdict.reach[index] if verdict.reach else None))
    return found


def _result(row, verdict, measured, connections, reach):
    case = verdict.label.format(connections=connections)
    absent = [name for name in (verdict.ours, *verdict.others) if name in measured.missing]
    if absent:
        return missing(row.name, case, verdict.against, reach, f"{absent[0]}: {measured.missing[absent[0]]}")
    samples = measured.samples[connections]
    better = max if verdict.more_is_better else min
    ratios = []
    for number, ours in enumerate(samples[verdict.ours]):
        other = better(samples[name][number][verdict.quantity] for name in verdict.others)
        ratios.append(ours[verdict.quantity] / other)
    return judged(row.name, case, verdict.against, ratios, reach, verdict.more_is_better, _spoiled(verdict, samples))


def _spoiled(verdict, samples):
    ours = samples[verdict.ours]
    share = load.share(ours)
    if verdict.fast and share < SHARE:
        return f"only {share:.1%} decided in the kernel; besides: {load.besides(ours) or 'nothing'}"
    for name in (verdict.ours, *verdict.others):
        if verdict.quantity == "cpu" and min(sample["kept"] for sample in samples[name]) < 0.98:
            return f"{name} did not keep the rate"
    return ""
