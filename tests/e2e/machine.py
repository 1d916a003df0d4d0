"""What the mesh can leave behind on a machine, for tests that must find none of it afterwards."""

import ctypes
import os
import pathlib
import struct
import time

BPF_PROG_GET_NEXT_ID, BPF_PROG_GET_FD_BY_ID, BPF_OBJ_GET_INFO_BY_FD = 11, 13, 15
_SYSCALL = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
_libc = ctypes.CDLL(None, use_errno=True)


def cgroup_mount():
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return pathlib.Path(place)
    raise SystemExit("no cgroup v2 is mounted")


def _bpf(command, attributes):
    buffer = ctypes.create_string_buffer(attributes, 128)
    result = _libc.syscall(_SYSCALL, command, buffer, 128)
    return result, buffer.raw


def _program_info(number):
    """struct bpf_prog_info of a program, or None when it is gone."""
    descriptor, _ = _bpf(BPF_PROG_GET_FD_BY_ID, struct.pack("III", number, 0, 0))
    if descriptor < 0:
        return None
    info = ctypes.create_string_buffer(256)
    _bpf(BPF_OBJ_GET_INFO_BY_FD, struct.pack("IIQ", descriptor, 256, ctypes.addressof(info)))
    os.close(descriptor)
    return info.raw


def programs():
    """{id: name} of every BPF program in the kernel."""
    found, last = {}, 0
    while True:
        result, attributes = _bpf(BPF_PROG_GET_NEXT_ID, struct.pack("III", last, 0, 0))
        if result < 0:
            return found
        last = struct.unpack_from("I", attributes, 4)[0]
        info = _program_info(last)
        if info:
            found[last] = info[64:80].split(b"\0")[0].decode()  # the name is 64 bytes in


def count_runs(on):
    """Says what it was before."""
    switch = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")
    before = switch.read_text().strip() != "0"
    switch.write_text("1" if on else "0")
    return before


def program_runs(pid, name):
    """How often the programs of this name that a process holds ran, while the kernel is told to count."""
    numbers = set()
    for entry in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            text = entry.read_text()
        except FileNotFoundError:  # a connection that has ended meanwhile
            continue
        lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        if "prog_id" in lines:
            numbers.add(int(lines["prog_id"]))
    found = [info for info in map(_program_info, numbers) if info and info[64:80].split(b"\0")[0].decode() == name]
    if not found:
        raise AssertionError(f"process {pid} holds no program {name}")
    # struct bpf_prog_info: run_cnt is 200 bytes in.
    return sum(struct.unpack_from("Q", info, 200)[0] for info in found)


def pins():
    # Unlike rglob, walk does not mind a folder that is being removed meanwhile.
    return {f"{folder}/{name}" for folder, below, files in os.walk("/sys/fs/bpf") for name in below + files}


def cgroups():
    return {str(path) for path in cgroup_mount().glob("heddle*")}


def processes(marker):
    """Processes whose command line or working folder mentions `marker`."""
    found = set()
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if marker in words:
                found.add(f"{entry.name}: {words.strip()}")
    return found


class Snapshot:
    """Taken before; `leftovers` says what came since and stayed."""

    def __init__(self, marker):
        self.marker = marker
        self.before = self._now()

    def _now(self):
        return {"program": {f"{name} (id {number})" for number, name in programs().items()}, "pin": pins(),
                "cgroup": cgroups(), "process": processes(self.marker)}

    def leftovers(self, patience=5.0):
        # The kernel frees programs and cgroups a moment after the last reference is gone; what others load and drop
        # meanwhile is none of ours: left over is what was there every time.
        end = time.monotonic() + patience
        rest = None
        while True:
            now = self._now()
            found = {f"{kind} {item}" for kind in now for item in now[kind] - self.before[kind]}
            rest = found if rest is None else rest & found
            if not rest or time.monotonic() > end:
                return sorted(rest)
            time.sleep(0.1)
