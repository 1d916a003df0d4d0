"""Runs one shell command in a guest, for trying things by hand after `./dev matrix` has fetched the kernels.

usage: boot.py [--kernel 6.1] [--program PATH]... [--file PATH[=GUEST_PATH]]... [--memory 256M] COMMAND
for example: boot.py --program /usr/sbin/bpftool --file policy.bpf.o 'bpftool prog loadall /files/policy.bpf.o /sys/fs/bpf/p'
Programs come with their libraries into /opt/bin, files into /files.
"""

import argparse
import pathlib
import sys
import tempfile

import guest


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kernel", action="append")
    parser.add_argument("--program", action="append", default=[])
    parser.add_argument("--file", action="append", default=[])
    parser.add_argument("--timeout", type=int, default=300)
    parser.add_argument("--memory", default="3G")
    parser.add_argument("command")
    options = parser.parse_args()
    image = guest.Image()
    for program in options.program:
        image.program(program, f"opt/bin/{pathlib.Path(program).name}")
    for file in options.file:
        source, _, target = file.partition("=")
        image.file(source, target or f"files/{pathlib.Path(source).name}")
    kernels = guest.HERE.parent.parent / "build" / "matrix"
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        check = pathlib.Path(folder) / "command"
        check.write_text(f"#!/bin/sh\n{options.command}\n")
        check.chmod(0o755)
        image.check(check)
        image.write(f"{folder}/initramfs")
        for version in options.kernel or ["6.1", "6.12"]:
            kernel = next((kernels / version).glob("boot/vmlinuz-*"))
            results, _ = guest.run(kernel, f"{folder}/initramfs", image.checks(), f"{folder}/log", options.timeout,
                                   options.memory)
            print(f"=== {kernel.name}: {'ok' if results['command'] else 'FAILED'}")
            print(pathlib.Path(f"{folder}/log").read_text(errors="replace").replace("\r", ""))
            failed += not results["command"]
    return failed


sys.exit(main())
