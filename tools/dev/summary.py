"""Counts everything that `./dev test` ran and prints `N passed, N failed` as the last line.

A GoogleTest binary counts its cases (<reports>/<run>/<name>.xml), any other test counts one (<reports>/<run>/ctest.xml,
from ctest), and a kernel of the matrix one per check (<reports>/matrix-*.txt, lines `pass NAME` and `fail NAME`).
A skipped case is named; with CI=true it is a failure.
"""

import os
import pathlib
import sys
import xml.etree.ElementTree as xml


class Count:
    def __init__(self):
        self.passed, self.failed, self.skipped = 0, [], []


def add_cases(count, prefix, report):
    """The cases of one GoogleTest binary."""
    for case in xml.parse(report).getroot().iter("testcase"):
        name = f"{prefix}: {case.get('classname')}.{case.get('name')}"
        if case.find("failure") is not None:
            count.failed.append(name)
        elif case.get("result") == "skipped" or case.find("skipped") is not None:
            count.skipped.append(name)
        elif case.get("status") == "run":
            count.passed += 1


def add_run(count, folder):
    """One run of ctest; a test that left no report of its own cases, or died before their end, counts one."""
    report = folder / "ctest.xml"
    if not report.exists():
        count.failed.append(f"{folder.name}: ctest did not run")
        return
    for test in xml.parse(report).getroot().iter("testcase"):
        name, status = test.get("name"), test.get("status")
        cases = folder / f"{name}.xml"
        before = len(count.failed)
        if cases.exists():
            add_cases(count, f"{folder.name}/{name}", cases)
        if status == "run":
            count.passed += 0 if cases.exists() else 1
        elif test.find("skipped") is not None and status in ("notrun", "disabled"):
            count.skipped.append(f"{folder.name}/{name}")
        elif len(count.failed) == before:
            count.failed.append(f"{folder.name}/{name}")


def add_matrix(count, report):
    for line in report.read_text().splitlines():
        verdict, _, name = line.partition(" ")
        if verdict == "pass":
            count.passed += 1
        else:
            count.failed.append(f"{report.stem}: {name or line}")


def main():
    reports = pathlib.Path(sys.argv[1])
    count = Count()
    for folder in sorted(path for path in reports.iterdir() if path.is_dir()):
        add_run(count, folder)
    for report in sorted(reports.glob("matrix-*.txt")):
        add_matrix(count, report)
    if os.environ.get("CI") == "true":
        count.failed += [f"{name} (skipped)" for name in count.skipped]
    elif count.skipped:
        print(f"{len(count.skipped)} SKIPPED, which fails under CI=true:", *count.skipped, sep="\n  ")
    if count.failed:
        print("failed:", *count.failed, sep="\n  ")
    print(f"{count.passed} passed, {len(count.failed)} failed")
    return 1 if count.failed or count.passed == 0 else 0


sys.exit(main())
