"""What programs may cost, by kernel, program and policy: budget.txt has what was measured, and a tenth more is a failure.

usage: budget.py KERNEL LOG...             compares the lines `verified: PROGRAM VERIFIED SIZE STACK [POLICY]` of logs
       budget.py KERNEL LOG... --update    writes what was measured into budget.txt; read the difference
"""

import pathlib
import re
import sys

FILE = pathlib.Path(__file__).with_name("budget.txt")
MARGIN = 1.1
LINE = re.compile(r"^\s*verified: (\S+)\s+(\d+)\s+(\d+)\s+(\d+)\s*(.*)$")
# Of a hook the kernel does not tell its stack; it is 0 then.
FIGURES = ("verified instructions", "instructions", "bytes of stack")


def measured(text):
    """{(program, policy): (verified, size, stack)}"""
    found = {}
    for line in text.splitlines():
        if match := LINE.match(line):
            found[match[1], match[5].strip()] = tuple(int(match[i]) for i in (2, 3, 4))
    return found


def read():
    """{(kernel, program, policy): (verified, size, stack)}"""
    budgets = {}
    for line in FILE.read_text().splitlines():
        if line and not line.startswith("#"):
            kernel, verified, size, stack, program, *policy = line.split(None, 5)
            budgets[kernel, program, policy[0] if policy else ""] = (int(verified), int(size), int(stack))
    return budgets


def failures(kernel, text):
    """What is over its budget, or has none; and what has one and was not measured."""
    budgets = {key[1:]: figures for key, figures in read().items() if key[0] == kernel}
    found = measured(text)
    lines = []
    for (program, policy), figures in sorted(found.items()):
        name = f"{program} {policy}".strip()
        if (program, policy) not in budgets:
            lines.append(f"{name}: {figures[0]} verified instructions, and no budget: see tests/matrix/budget.py")
            continue
        for what, count, budget in zip(FIGURES, figures, budgets[program, policy]):
            if count > budget * MARGIN:
                lines.append(f"{name}: {count} {what}, and the budget is {budget}")
    lines += [f"{' '.join(key).strip()}: not measured" for key in sorted(budgets.keys() - found.keys())]
    return lines


def update(kernel, text):
    budgets = {key: figures for key, figures in read().items() if key[0] != kernel}
    budgets.update({(kernel, *key): figures for key, figures in measured(text).items()})
    comments = [line for line in FILE.read_text().splitlines() if line.startswith("#")]
    rows = [f"{kernel:<5} {verified:>7} {size:>7} {stack:>5} {program:<20} {policy}".rstrip()
            for (kernel, program, policy), (verified, size, stack) in sorted(budgets.items())]
    FILE.write_text("\n".join(comments + rows) + "\n")


def main(arguments):
    logs = [each for each in arguments if not each.startswith("--")]
    text = "\n".join(pathlib.Path(each).read_text(errors="replace") for each in logs[1:])
    if "--update" in arguments:
        update(logs[0], text)
        return 0
    lines = failures(logs[0], text)
    print(*lines, sep="\n")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
