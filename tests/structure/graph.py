"""Reads includes and links from a configured and compiled build folder.

Includes are ninja's record of the compiler's own depfiles (`ninja -t deps`), and for embedded BPF the depfiles themselves.
Links are what CMake wrote while configuring: each target's own link libraries (link-graph.txt, see cmake/Targets.cmake).
"""

import pathlib
import re
import subprocess

from rules import unit_of


class Build:
    def __init__(self, source, build):
        self.source, self.build = pathlib.Path(source).resolve(), pathlib.Path(build).resolve()

    def relative(self, path):
        """Path below the project's root; generated files count where their folder's sources are."""
        path = path if path.startswith("/") else str(self.build / path)
        path = str(pathlib.Path(path).resolve(strict=False)) if "/../" in path else path
        for base in (self.build, self.source):
            if path.startswith(f"{base}/"):
                return path[len(str(base)) + 1:]
        return None

    def includes(self):
        """(unit, source file, [absolute or relative header]) of every compiled file."""
        listing = subprocess.run(["ninja", "-C", self.build, "-t", "deps"], capture_output=True, text=True, check=True)
        target, headers = None, []
        for line in [*listing.stdout.splitlines(), "end: #deps"]:
            if line.startswith("    "):
                headers.append(line.strip())
            elif "#deps" in line:
                if target and headers:
                    yield self._entry(target, headers)
                target, headers = line.split(":")[0], []
        for depfile in sorted((self.build / "embedded").glob("*.d")):
            words = depfile.read_text().replace("\\\n", " ").split()
            yield self._entry("bpf_templates/CMakeFiles/" + depfile.name, words[1:])

    def _entry(self, target, headers):
        # `compiler/cli/CMakeFiles/heddle.dir/main.cpp.o` is an object of compiler/cli, whatever it compiles.
        folder = target.split("/CMakeFiles/")[0]
        return unit_of(folder), self.relative(headers[0]) or headers[0], headers

    def links(self):
        """{target: (unit, [what it links itself])}, aliases resolved."""
        aliases, targets = {}, {}
        for line in (self.build / "link-graph.txt").read_text().splitlines():
            kind, name, rest = line.split("\t")
            if kind == "alias":
                aliases[name] = rest
            else:
                folder, libraries = rest.split("|", 1)
                # `$<LINK_ONLY:x>` and `$<TARGET_OBJECTS:x>` link x.
                targets[name] = (unit_of(folder), re.findall(r"[\w:.+/-]+", re.sub(r"\$<[A-Z_]+:", " ", libraries)))
        return {name: (unit, [aliases.get(library, library) for library in libraries])
                for name, (unit, libraries) in targets.items()}
