"""An environment for each peer, of pinned packages, under benchmarks/.envs; made once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
ENVS = HERE / ".envs"
OWN = "bench"  # what the benchmark itself runs on
AS_PINNED = ("litellm",)  # its pins are not what it asks for: no resolver would take them


class NotInstalled(Exception):
    """A peer that cannot be had here; the text says why."""


def requirements(name: str) -> Path:
    """Return the file of an environment's pins."""
    return HERE / "requirements.txt" if name == OWN else HERE / f"peers/requirements-{name}.txt"


def python(name: str) -> Path:
    """Return the interpreter of an environment."""
    return ENVS / name / "bin" / "python"


def ensure(name: str) -> Path:
    """Make an environment, unless it is there with these very pins. Raises NotInstalled."""
    wanted = requirements(name).read_text()
    stamp = ENVS / name / "installed.txt"
    if stamp.exists() and stamp.read_text() == wanted:
        return python(name)
    print(f"installing {name} ...", flush=True)
    shutil.rmtree(ENVS / name, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(ENVS / name)], check=True)
    pip = [str(python(name)), "-m", "pip", "install", "--quiet", "-r", str(requirements(name))]
    if name in AS_PINNED:
        pip.append("--no-deps")
    done = subprocess.run(pip, capture_output=True, text=True)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
        raise NotInstalled(f"pip: {(errors or ['ERROR: failed'])[-1][7:200]}")
    stamp.write_text(wanted)
    return python(name)


def enter_own() -> None:
    """Go on in the benchmark's own environment, if this is another."""
    if Path(sys.prefix) != ENVS / OWN:
        interpreter = str(ensure(OWN))
        os.execv(interpreter, [interpreter, "-m", "benchmarks", *sys.argv[1:]])


def nginx() -> Path:
    """Return the nginx of this machine. Raises NotInstalled."""
    beside = ENVS / "nginx/usr/sbin/nginx"  # an unpacked package does, too
    for place in (shutil.which("nginx"), "/usr/sbin/nginx", beside):
        if place and Path(place).exists():
            return Path(place)
    raise NotInstalled("there is no nginx on this machine (apt-get install nginx)")


def tandem_python() -> Path:
    """Return the interpreter of `make run`. Raises NotInstalled."""
    interpreter = ROOT / ".venv/bin/python"
    if not interpreter.exists():
        raise NotInstalled("there is no .venv; `make run` or `make test` makes it")
    return interpreter


def version(name: str, interpreter: Path, packages: tuple[str, ...]) -> str:
    """Return the versions of these packages as an environment has them."""
    code = (
        "import sys; from importlib.metadata import version as v;"
        "print(', '.join(f'{p} {v(p)}' for p in sys.argv[1:]))"
    )
    found = subprocess.run(
        [str(interpreter), "-c", code, *packages], capture_output=True, text=True, check=True
    )
    return found.stdout.strip()
