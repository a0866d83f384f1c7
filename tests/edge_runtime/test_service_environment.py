"""The environment of the service, by the system's own Python within a system of its own, without any network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fer_edge.cli import main
from fer_edge.service.layout import Layout

SYSTEM_PYTHON = Path("/usr/bin/python3")


def _system_python_makes_environments() -> bool:
    if not SYSTEM_PYTHON.is_symlink():
        return False
    tried = subprocess.run(
        [SYSTEM_PYTHON, "-I", "-c", "import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))"],
        capture_output=True,
        check=False,
    )
    return tried.returncode == 0


pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for chroot"),
    pytest.mark.skipif(
        not _system_python_makes_environments(), reason="needs Debian's python3-venv 3.11: scripts/system-packages"
    ),
    pytest.mark.skipif(shutil.which("systemctl") is None, reason="needs systemctl: scripts/system-packages --systemd"),
]

# What a Debian's Python is made of, and what it loads.
_FOLDERS = ("/usr/lib/python3", "/usr/share/python-wheels")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a small system with the Python of this one."""
    root = tmp_path_factory.mktemp("system")
    python = SYSTEM_PYTHON.readlink()
    for folder in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / folder).mkdir(parents=True)
        (root / folder).symlink_to(f"usr/{folder}")
    library = Path("/usr/lib") / python.name
    for folder in (str(library), *_FOLDERS):
        if Path(folder).is_dir():
            shutil.copytree(
                folder, root / folder[1:], symlinks=True, ignore=shutil.ignore_patterns("test", "__pycache__")
            )
    for place in (root / f"usr/lib/{python.name}/dist-packages", root / "usr/lib/python3/dist-packages"):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
    shutil.copy(f"/usr/bin/{python.name}", root / "usr/bin")
    (root / "usr/bin/python3").symlink_to(python.name)
    loaded = [f"/usr/bin/{python.name}", *map(str, library.glob("lib-dynload/*.so"))]
    told = subprocess.run(["ldd", *loaded], capture_output=True, text=True, check=True).stdout
    for path in set(re.findall(r"(/\S+) \(0x", told)):
        place = root / Path(os.path.realpath(Path(path).parent)).relative_to("/")
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    for name, content in {"passwd": "root:x:0:0:root:/root:/bin/sh\n", "group": "root:x:0:\nvideo:x:44:\n"}.items():
        (root / "etc").mkdir(exist_ok=True)
        (root / "etc" / name).write_text(content)
    for folder in ("dev", "tmp", "opt"):
        (root / folder).mkdir()
    (root / "dev/null").touch(0o666)
    return root


def make_wheel(folder: Path, name: str, version: str, requires: str = "", program: str = "") -> None:
    """Write a wheel; `program` is a command that prints its version."""
    module, told = name.replace("-", "_"), f"{name.replace('-', '_')}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}"
    with zipfile.ZipFile(folder / f"{module}-{version}-py3-none-any.whl", "w") as file:
        file.writestr(f"{module}.py", f"def main():\n    print({version!r})\n")
        file.writestr(f"{told}/METADATA", metadata)
        file.writestr(f"{told}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        if program:
            file.writestr(f"{told}/entry_points.txt", f"[console_scripts]\n{program} = {module}:main\n")
        file.writestr(f"{told}/RECORD", "")


def make_wheels(folder: Path, version: str, requires: str = "") -> Path:
    """Give a folder with a stand-in for fer-edge, with an output that needs a package."""
    folder.mkdir()
    needed = f"Provides-Extra: mqtt\nRequires-Dist: paho-mqtt>=2; extra == 'mqtt'\n{requires}"
    make_wheel(folder, "fer-edge", version, needed, "fer-edge")
    make_wheel(folder, "paho-mqtt", "2.1.0")
    return folder


def install(root: Path, wheels: Path, *arguments: str | Path) -> Result:
    return CliRunner().invoke(
        main, ["service", "install", "--root", str(root), "--wheels", str(wheels), *map(str, arguments)]
    )


def states(done: Result) -> dict[str, str]:
    return {line[11:].split()[0]: line[:9].strip() for line in done.stdout.splitlines()}


def within(root: Path, *command: str) -> str:
    done = subprocess.run(["chroot", root, *command], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_installing_upgrading_and_failing(system: Path, tmp_path: Path) -> None:
    layout = Layout(system)
    # One that was made by hand is put aside.
    layout.environment.mkdir()
    (layout.environment / "mine").touch()
    first = make_wheels(tmp_path / "first", "1.0")
    done = install(system, first)
    assert done.exit_code == 0, done.output
    assert "/opt/fer-edge: fer-edge 1.0; what is there now is put aside as fer-edge.before" in done.stdout
    assert (system / "opt/fer-edge.before/mine").exists()
    assert set(states(done).values()) == {"done", "unchanged"}
    assert states(done)["environment"] == "done"
    assert within(system, "/opt/fer-edge/bin/fer-edge", "--version") == "1.0"
    assert "include-system-site-packages = true" in (layout.environment / "pyvenv.cfg").read_text()
    assert not list(layout.environment.resolve().rglob("*.whl"))

    done = install(system, first)
    assert set(states(done).values()) == {"unchanged"}, done.output

    # What it needs is not there: the old one stays, whole, and nothing of the new one.
    before = sorted(path.name for path in system.joinpath("opt").iterdir())
    broken = make_wheels(tmp_path / "broken", "1.1", "Requires-Dist: no-such-package\n")
    done = install(system, broken)
    assert done.exit_code == 1
    assert done.stderr.startswith("error: environment: ")
    assert "no-such-package" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert sorted(path.name for path in system.joinpath("opt").iterdir()) == before
    assert within(system, "/opt/fer-edge/bin/fer-edge", "--version") == "1.0"

    # An output that needs a package brings it.
    given = tmp_path / "mqtt.toml"
    given.write_text("[output]\nto = ['mqtt']\n")
    done = install(system, make_wheels(tmp_path / "second", "1.2"), "--config", given, "--force")
    assert done.exit_code == 0, done.output
    assert {name for name, state in states(done).items() if state == "done"} == {
        "environment",
        "configuration",
        "network",
        "tidy",
    }
    assert within(system, "/opt/fer-edge/bin/fer-edge", "--version") == "1.2"
    assert within(system, "/opt/fer-edge/bin/python", "-c", "import paho_mqtt; paho_mqtt.main()") == "2.1.0"
    assert len(list(system.joinpath("opt").glob("fer-edge-*"))) == 1
