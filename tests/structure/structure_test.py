"""The project's dependency rules hold, and each of them is able to fail.

usage: structure_test.py project | plant | sizes
`project` judges the build folder $HEDDLE_BUILD_DIR. `plant` configures a tiny project of the same folders with the same
CMake functions, sees it pass, then breaks every rule once by an include and once by a link and sees that rule named.
`sizes` looks for files that have outgrown one idea.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import rules
from check import violations

SOURCE = pathlib.Path(os.environ["HEDDLE_SOURCE_DIR"])
# Edges that are allowed and must stay so: a checker that forbids everything would pass all the plants.
ALLOWED = {
    "compiler/cli": ["runtime/loader", "runtime/bundle", "runtime/base", "compiler/eval", "compiler/emit"],
    "compiler/lower": ["bpf_templates/include", "compiler/plan"],
    "compiler/eval": ["compiler/model"],
    "runtime/agent": ["runtime/handler/http", "runtime/loader"],
}


def test_project():
    build = os.environ["HEDDLE_BUILD_DIR"]
    broken = violations(SOURCE, build)
    for folder in [path for path in rules.UNITS if path.startswith(("compiler/", "runtime/"))]:
        if any((SOURCE / folder).glob("*.cpp")) and not any((pathlib.Path(build) / folder).glob("CMakeFiles/*/*.o")):
            broken.append(f"everything is judged: {folder} is not compiled, or not part of the build")
    return broken


def target_of(unit):
    return "heddle::bpf_include" if unit == "bpf_templates/include" else "heddle::" + unit.replace("/", "_")


class Scratch:
    """A project with every unit, each one a header and a source file."""

    def __init__(self, folder):
        self.root, self.build = folder, folder / "build"
        shutil.copy(SOURCE / "CMakeLists.txt", folder)
        shutil.copytree(SOURCE / "cmake", folder / "cmake")
        for unit in rules.UNITS:
            (folder / unit).mkdir(parents=True, exist_ok=True)
            # Different contents: GCC takes equal files with `#pragma once` for one and the same.
            (folder / unit / "known.h").write_text(f"#pragma once  // {unit}\n")
        for unit in self.units():
            self.write(unit, ALLOWED.get(unit, []))
        self.configure()

    @staticmethod
    def units():
        return [unit for unit in rules.UNITS if unit.startswith(("compiler/", "runtime/")) or unit == "bpf_templates"]

    def write(self, unit, includes=(), links=None):
        """A unit that includes `includes` and links the same, or `links`."""
        headers = [f"{name}/known.h" if not name.startswith("/") else name for name in includes]
        links = [target_of(name) for name in includes] if links is None else links
        source = self.root / unit / "unit.cpp"
        name = unit.replace("/", "_")
        source.write_text("".join(f'#include "{header}"\n' for header in headers) + f"int {name}() {{ return 1; }}\n")
        foreign = [link for link in links if not link.startswith("heddle::") or link in ("heddle::llvm", "heddle::antlr", "heddle::libbpf")]
        own = [link for link in links if link not in foreign]
        text = f"heddle_library({unit} DEPS {' '.join(own)} LIBS {' '.join(foreign)})\n"
        cmake = self.root / unit / "CMakeLists.txt"
        if not cmake.exists() or cmake.read_text() != text:
            cmake.write_text(text)

    def configure(self):
        run("cmake", "-S", self.root, "-B", self.build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug")

    def judge(self):
        run("ninja", "-C", self.build)
        return violations(self.root, self.build)


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def plant_one(scratch, rule, by_link):
    """Breaks `rule` once; returns a complaint if it, and it alone, is not named."""
    unit, reach = rule.plant[0], rule.plant[1]
    allowed = ALLOWED.get(unit, [])
    allowed_links = [target_of(name) for name in allowed]
    if by_link:
        scratch.write(unit, allowed, [*allowed_links, rule.plant[2] if rule.is_foreign else target_of(reach)])
    else:
        scratch.write(unit, [*allowed, reach], allowed_links)
    broken = scratch.judge()
    scratch.write(unit, allowed)
    kind = "link" if by_link else "include"
    if not any(line.startswith(rule.name + ":") for line in broken):
        return f"a forbidden {kind} goes unnoticed: {rule.name} ({unit} -> {reach}); found {broken}"
    if not all(line.startswith(rule.name + ":") and (" links " in line) == by_link for line in broken):
        return f"a forbidden {kind} of {rule.name} is taken for something else: {broken}"
    return None


def test_plant():
    with tempfile.TemporaryDirectory(prefix="heddle-structure-") as folder:
        scratch = Scratch(pathlib.Path(folder))
        complaints = [f"the clean project is refused: {line}" for line in scratch.judge()]
        planted = [plant_one(scratch, rule, by_link) for rule in rules.RULES for by_link in (False, True)]
        complaints += [line for line in planted if line]
        complaints += [f"after the plants: {line}" for line in scratch.judge()]
        print(f"{len(planted)} violations planted")
        return complaints


def test_sizes(longest=800):
    complaints, seen = [], 0
    for folder in ("bpf_templates", "compiler", "runtime", "tests", "tools", "grammar", "cmake"):
        for path in sorted((SOURCE / folder).rglob("*")):
            if path.suffix in (".cpp", ".h", ".c", ".g4", ".py", ".sh", ".cmake"):
                seen += 1
                lines = path.read_text().count("\n")
                if lines > longest:
                    complaints.append(f"{path.relative_to(SOURCE)} has {lines} lines, more than {longest}")
    return complaints if seen else ["no source files found"]


def main():
    complaints = {"project": test_project, "plant": test_plant, "sizes": test_sizes}[sys.argv[1]]()
    for line in complaints:
        print(line)
    return 1 if complaints else 0


sys.exit(main())
