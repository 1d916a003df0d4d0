"""What the bench prints: absolute figures for the eye, ratios for the judgement."""

import load

UNITS = {"throughput": ("requests/s", 1), "p50": ("p50 µs", 1), "p99": ("p99 µs", 1), "p99.9": ("p99.9 µs", 1),
         "cpu": ("CPU µs each", 1)}


def print_row(row, measured, found):
    print(f"\n{row.name}: {row.about}")
    if measured:
        for name, why in measured.missing.items():
            print(f"  {name} could not be measured: {why}")
        for name, note in measured.notes.items():
            print(f"  {name}: {note}")
        for quantity in dict.fromkeys(verdict.quantity for verdict in row.verdicts):
            _print_samples(measured, quantity)
    _print_results(found)


def _print_samples(measured, quantity):
    names = list(next(iter(measured.samples.values())))
    print(f"  {UNITS[quantity][0]:>14}" + "".join(f"{name:>14}" for name in names) + "   share decided in the kernel")
    for connections, samples in measured.samples.items():
        medians = [measured.median(connections, name, quantity) for name in names]
        cells = "".join(f"{median:>8.0f}{_of_first(median, medians):>6}" for median in medians)
        print(f"  {connections:>14}{cells}   {_shares(samples)}")


def _of_first(value, medians):
    return f" {value / medians[0]:.2f}"


def _shares(samples):
    shares = {name: load.share(each) for name, each in samples.items()}
    return "  ".join(f"{name} {share:.1%}" for name, share in shares.items() if share is not None)


def _print_results(found):
    for each in found:
        reach = "" if each.reach is None else f"reach {each.reach:<5g}"
        if not each.measured:
            print(f"  {each.case:>24}  against {each.against:<10} not measured: {each.note}")
            continue
        verdict = {True: "ok", False: "not ok", None: "shown"}[each.ok]
        print(f"  {each.case:>24}  against {each.against:<10} {each.ratio:6.3f}  ({each.min:.3f} to {each.max:.3f})  "
              f"{reach:<12} {verdict}{'; ' + each.note if each.note else ''}")


def print_count(found):
    good = sum(1 for each in found if each.ok)
    unmeasured = sum(1 for each in found if not each.measured)
    judged = sum(1 for each in found if each.measured and each.ok is not None)
    print(f"\n{good} ok, {judged - good} not ok, {unmeasured} not measured")
