"""Packages of npm that only tests use: installed once into the test cache."""

import os
import pathlib
import shutil
import subprocess

from support.media import ROOT

INSTALL_S = 120


def place(name):
    return pathlib.Path(os.environ.get("MILLRACE_TEST_CACHE", ROOT / "build" / "dev")).resolve() / name


def install(name, package, wanted):
    """Installs `package` (a package.json) below place(name); the reason why that does not work, or nothing when all of `wanted` is there."""
    if not shutil.which("node") or not shutil.which("npm"):
        return "node and npm are not installed"
    if all(path.exists() for path in wanted):
        return None
    place(name).mkdir(parents=True, exist_ok=True)
    shutil.copy(package, place(name))
    argv = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent", "--fetch-retries=1", "--fetch-timeout=20000"]
    try:
        done = subprocess.run(argv, cwd=place(name), timeout=INSTALL_S, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except subprocess.TimeoutExpired:
        return f"npm did not install {name} within {INSTALL_S} s"
    return None if done.returncode == 0 and all(path.exists() for path in wanted) else f"npm cannot install {name}: {done.stderr[-300:]}"
