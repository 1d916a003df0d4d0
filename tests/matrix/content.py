"""What the guests are given: our programs, the examples with their servers, and the checks."""

import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
PEERS = SOURCE / "build" / "peers"


def fill(image, options):
    for name in ("heddle", "heddled"):
        image.program(options.bin / name, f"opt/bin/{name}")
    # Tests of loader and agent that make their policies themselves.
    for name in ("kernel_loader", "kernel_agent", "kernel_fast_path", "kernel_budget"):
        image.program(tests_of(options) / name, f"opt/tests/{name}")
    fill_fast_path(image, options)
    for name in ("bash", "curl"):
        image.program(shutil.which(name), f"usr/bin/{name}")
    # Peers are programs unpacked with their libraries, as `./dev deps` left them.
    for peer, program in (("nginx", "usr/sbin/nginx"), ("redis-server", "usr/bin/redis-server")):
        libraries = next((PEERS / peer).glob("usr/lib/*-linux-gnu"), None)
        image.program((PEERS / peer / program).resolve(), f"peers/{pathlib.Path(program).name}", libraries)
    image.tree(SOURCE / "examples", "examples")
    for name, script in (("thousand", "thousand_routes.py"), ("worst", "worst_case.py")):
        folder = options.kernels / name
        subprocess.run([sys.executable, "-B", HERE / script, folder], check=True, stdout=subprocess.DEVNULL)
        image.tree(folder, name)
    for check in sorted((HERE / "checks").iterdir()):
        image.check(check)


def fill_small(image, options):
    """A guest with little memory: no compiler, and nothing but the fast path."""
    image.program(options.bin / "heddled", "opt/bin/heddled")
    image.program(shutil.which("bash"), "usr/bin/bash")
    fill_fast_path(image, options)
    for check in sorted((HERE / "small_checks").iterdir()):
        # By references memory is short, but not at its end: that takes its time in long runs only.
        if os.environ.get("HEDDLE_LONG") or "by-references" not in check.name:
            image.check(check)


def fill_fast_path(image, options):
    """The checking server, the clients that attack it, and their policy."""
    for name in ("checking_server", "attack_client", "guest_client"):
        image.program(tests_of(options) / name, f"opt/bin/{name}")
    image.file(HERE / "fast_path" / "mesh.sh", "fast/mesh.sh")
    bundle = options.kernels / "echo.bundle"
    subprocess.run([options.bin / "heddle", "build", "--verify", "off", HERE / "fast_path" / "echo.mesh", "-o", bundle],
                   check=True, stdout=subprocess.DEVNULL)
    image.file(bundle, "fast/echo.bundle")


def tests_of(options):
    return options.bin.resolve().parent / "tests" / "bin"
