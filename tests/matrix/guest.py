"""Boots a Debian kernel under QEMU (TCG: no KVM, no privilege) with an initramfs of our files, and reads results.

Everything the guest needs is in the initramfs: busybox, the programs with the shared libraries that `ldd` names,
plain files, and the checks. `init` in this folder runs the checks in the order of their names and prints for each
`HEDDLE-RESULT pass|fail NAME`; a check that never reports counts as failed, so a hang or a panic cannot pass.
"""

import os
import pathlib
import re
import stat
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
RESULT = re.compile(r"HEDDLE-RESULT (pass|fail) (\S+)")
STARTED = "--- 00-"  # the first check
BOOTS = 3


class Image:
    """An initramfs in the making: paths in the guest and their contents."""

    def __init__(self):
        self.entries = {}  # guest path without leading slash -> (mode, bytes)
        for folder in ("proc", "sys", "dev", "tmp", "run", "root", "etc", "bin", "sbin", "var/log", "lib64", "lib", "usr/bin"):
            self.folder(folder)
        self.entries["dev/console"] = (stat.S_IFCHR | 0o600, b"")
        self.text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
        self.text("etc/group", "root:x:0:\nnogroup:x:65534:\n")
        self.text("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
        self.file("/bin/busybox", "bin/busybox")
        self.file(HERE / "init", "init")

    def folder(self, path):
        parent = os.path.dirname(path)
        if parent and parent not in self.entries:
            self.folder(parent)
        self.entries.setdefault(path, (stat.S_IFDIR | 0o755, b""))

    def _add(self, path, mode, content):
        path = str(path).lstrip("/")
        self.folder(os.path.dirname(path))
        self.entries[path] = (mode, content)

    def text(self, path, content):
        self._add(path, stat.S_IFREG | 0o644, content.encode())

    def file(self, source, path):
        source = pathlib.Path(source)
        mode = 0o755 if os.access(source, os.X_OK) else 0o644
        self._add(path, stat.S_IFREG | mode, source.read_bytes())

    def tree(self, source, path):
        for entry in sorted(pathlib.Path(source).rglob("*")):
            if entry.is_file():
                self.file(entry, f"{path}/{entry.relative_to(source)}")

    def program(self, source, path, library_path=None):
        """An executable and every shared library it is linked with, at the libraries' own paths."""
        self.file(source, path)
        environment = dict(os.environ, LC_ALL="C")
        if library_path:
            environment["LD_LIBRARY_PATH"] = str(library_path)
        listing = subprocess.run(["ldd", source], capture_output=True, text=True, env=environment).stdout
        if "not found" in listing:
            raise SystemExit(f"matrix: {source} misses libraries:\n{listing}")
        for library in re.findall(r"(/\S+) \(0x", listing):
            self.file(library, library if library.startswith(("/lib", "/usr")) else f"/lib/{os.path.basename(library)}")

    def check(self, source):
        self.file(source, f"checks/{os.path.basename(source)}")

    def checks(self):
        return sorted(os.path.basename(path) for path in self.entries if path.startswith("checks/"))

    def write(self, target):
        """The `newc` cpio format, by hand: device nodes without privilege. Uncompressed: a TCG guest unpacks slowly."""
        with open(target, "wb") as out:
            for inode, (path, (mode, content)) in enumerate(sorted(self.entries.items()), start=1):
                device = (5, 1) if stat.S_ISCHR(mode) else (0, 0)
                out.write(_record(path, inode, mode, content, device))
            out.write(_record("TRAILER!!!", 0, 0, b"", (0, 0)))


def _record(path, inode, mode, content, device):
    name = path.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name), 0)
    record = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    record += b"\0" * (-len(record) % 4) + content
    return record + b"\0" * (-len(record) % 4)


def run(kernel_image, initramfs, checks, log, timeout, memory="3G"):
    """Boots and returns {check: passed}; extra results that a check reports itself come with it. Never hangs."""
    command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", memory,
               "-nic", "none", "-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot",
               "-kernel", kernel_image, "-initrd", initramfs,
               # A busy machine may let the first ticks of a guest's timer come late; the kernel shall not give up on it.
               "-append", "console=ttyS0 quiet loglevel=4 panic=-1 no_timer_check rdinit=/init"]
    results, started = {}, time.monotonic()
    for boot in range(1, BOOTS + 1):
        with open(log, "wb") as out:
            try:
                subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, timeout=timeout)
            except subprocess.TimeoutExpired:
                out.write(f"\nmatrix: no end after {timeout} s, killed\n".encode())
        text = pathlib.Path(log).read_text(errors="replace")
        # The emulator now and then runs into an instruction that the kernel is just rewriting (`int3`): before anything of ours is there.
        if STARTED in text or "Kernel panic" not in text:
            break
        print(f"matrix: boot {boot} of {kernel_image.name} ended in a panic of the kernel, before the first program", flush=True)
    for line in pathlib.Path(log).read_text(errors="replace").splitlines():
        found = RESULT.search(line)
        if found:
            results[found[2]] = results.get(found[2], True) and found[1] == "pass"
    for check in checks:
        results.setdefault(check, False)
    return results, time.monotonic() - started
