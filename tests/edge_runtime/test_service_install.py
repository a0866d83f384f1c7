from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fer_edge.cli import main
from fer_edge.errors import FerError, UsageError
from fer_edge.service import configuring, environment, packages, placing, units, user
from fer_edge.service.layout import UNITS, Layout, escape
from fer_edge.service.steps import Step, take

MQTT = "[source]\nuri = 'auto'\n[output]\nto = ['jsonl', 'mqtt']\n"

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-sysusers") is None, reason="needs systemd's programs: scripts/system-packages --systemd"
)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other users: needs root")


def service(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["service", *map(str, arguments)])


def states(*looks: Callable[[], Step], dry_run: bool = False) -> list[str]:
    told: list[str] = []
    take(looks, told.append, dry_run=dry_run)
    return [line.split()[0] for line in told]


def everything(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Give all files below a folder with mode and content."""
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode,
            os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def image(tmp_path: Path) -> Layout:
    """Give a system as Debian makes it, as far as the installer looks at it without running anything."""
    for name, content in {
        "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
        "etc/group": "root:x:0:\nvideo:x:44:\n",
        "usr/bin/python3.11": "",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (tmp_path / "usr/bin/python3").symlink_to("python3.11")
    return Layout(tmp_path)


@pytest.fixture
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    (folder / "fer_edge-1.2.3-py3-none-any.whl").write_bytes(b"a wheel")
    return folder


@needs_root
@needs_systemd
def test_the_user_is_created_once_in_the_group_of_cameras(image: Layout) -> None:
    assert states(lambda: user.create(image), dry_run=True) == ["would"]
    assert placing.service_user(image) is None
    assert states(lambda: user.create(image), lambda: user.create(image)) == ["done", "unchanged"]
    assert placing.service_user(image) is not None
    assert placing.members(image, "video") == ["fer-edge"]
    assert "/usr/sbin/nologin" in (image.root / "etc/passwd").read_text()


@needs_root
def test_the_default_configuration_is_for_the_camera_and_clean(image: Layout) -> None:
    for camera, uri in (("auto", "auto"), ("picamera2", "picamera2"), ("v4l2", "v4l2:/dev/video0")):
        content = configuring.chosen(image, None, camera)  # type: ignore[arg-type]
        settings = configuring.checked(content, image)
        assert settings.source.uri == uri
        assert settings.output.to == ("jsonl",)
        assert configuring.unreachable(settings) == []
        assert not configuring.needs_network(settings)
    assert states(*[lambda: configuring.write(image, content, force=False)] * 2) == ["done", "unchanged"]
    assert image.configuration.stat().st_mode & 0o777 == 0o640
    assert image.configuration.parent.stat().st_mode & 0o777 == 0o750
    # Named again, what is there stays.
    assert configuring.chosen(image, None, "v4l2") == content
    with pytest.raises(UsageError, match=r"--camera auto, but .*source\.uri = 'v4l2:/dev/video0'"):
        configuring.chosen(image, None, "auto")


@needs_root
def test_a_changed_configuration_is_not_replaced_unless_told(image: Layout) -> None:
    configuring.write(image, b"[loop]\nraw = true\n", force=False).work()  # type: ignore[misc]
    with pytest.raises(UsageError, match="--force replaces it"):
        configuring.write(image, b"[loop]\nraw = false\n", force=False)
    assert states(lambda: configuring.write(image, b"[loop]\nraw = false\n", force=True)) == ["done"]
    assert image.configuration.read_text() == "[loop]\nraw = false\n"
    assert image.configuration.with_name("config.toml.before").read_text() == "[loop]\nraw = true\n"


def test_a_wrong_configuration_is_told_before_anything_is_done(image: Layout, wheels: Path, tmp_path: Path) -> None:
    before = everything(image.root)
    given = wheels / "wrong.toml"
    given.write_text("[loop]\nrow = true\nsmoothing_s = -1\n")
    done = service("install", "--root", image.root, "--wheels", wheels, "--config", given, "--dry-run")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "no key 'loop.row'; did you mean loop.raw?" in done.stderr
    assert "loop.smoothing_s = -1 cannot be" in done.stderr
    assert everything(image.root) == before


def test_files_that_the_sandbox_hides_are_told() -> None:
    settings = configuring.checked(
        b"[model]\nfile = '/home/pi/a.tflite'\n[output]\nto = ['jsonl', 'csv']\n[output.jsonl]\npath = '/srv/a.jsonl'\n"
        b"[output.csv]\npath = '/var/log/fer-edge/a.csv'\n",
        Layout(Path("/image")),
    )
    hidden, outside = configuring.unreachable(settings)
    assert hidden.startswith("model.file = '/home/pi/a.tflite': /home and /root are hidden")
    assert outside.startswith("output.jsonl.path = '/srv/a.jsonl': the service writes below /var/log/fer-edge")


@pytest.mark.parametrize(
    ("text", "needed", "extras"),
    [
        ("[output]\nto = ['jsonl']\n", False, ()),
        ("[output]\nto = ['mqtt']\n", True, ("mqtt",)),
        ("[output]\nto = ['mqtt', 'metrics']\n", True, ("metrics", "mqtt")),
        ("[source]\nuri = 'rtsp://camera/'\n", True, ()),
        ("[source]\nuri = 'v4l2:/dev/video0'\n", False, ()),
        ("[preview]\naddress = '127.0.0.1:8080'\n", True, ("web",)),
    ],
)
def test_network_and_extras_follow_from_the_configuration(text: str, needed: bool, extras: tuple[str, ...]) -> None:
    settings = configuring.checked(text.encode(), Layout(Path("/image")))
    assert configuring.needs_network(settings) is needed
    assert packages.extras(settings) == extras


@needs_root
@needs_systemd
def test_units_are_put_and_taken_and_what_others_added_stays(image: Layout) -> None:
    looks = [
        lambda: units.write(image),
        lambda: units.network(image, needed=True),
        lambda: units.enable(image),
    ]
    assert states(*looks, dry_run=True) == ["would"] * 3
    assert not image.units.exists()
    assert states(*looks) == ["done"] * 3
    assert states(*looks) == ["unchanged"] * 3
    assert (image.units / "fer-edge.service").read_bytes() == (UNITS / "fer-edge.service").read_bytes()
    assert (image.units / "multi-user.target.wants/fer-edge.service").is_symlink()
    own = image.units / "fer-edge.service.d" / "override.conf"
    own.write_text("[Service]\nNice=0\n")
    assert states(lambda: units.network(image, needed=False)) == ["done"]
    assert not image.network.exists()
    (image.units / "fer-edge.service").write_text("[Service]\nExecStart=/bin/true\n")
    assert states(lambda: units.write(image)) == ["done"]
    assert states(lambda: units.disable(image), lambda: units.remove(image)) == ["done"] * 2
    assert states(lambda: units.disable(image), lambda: units.remove(image)) == ["unchanged"] * 2
    assert [path for path in image.units.rglob("*") if not path.is_dir()] == [own]
    assert not list(image.at("/etc/udev/rules.d").iterdir())


@needs_root
@needs_systemd
def test_a_camera_has_a_service_and_a_configuration_of_its_own(image: Layout) -> None:
    camera = Layout(image.root, "video2")
    content = configuring.chosen(camera, None, None)
    assert configuring.checked(content, camera).source.uri == "v4l2:/dev/video2"
    assert b'path = "/var/log/fer-edge/video2.jsonl"' in content
    looks = [lambda: configuring.write(camera, content, force=False), lambda: units.write(camera)]
    assert states(*looks, lambda: units.enable(camera), lambda: units.enable(camera)) == ["done"] * 3 + ["unchanged"]
    assert image.at("/etc/fer-edge/video2.toml").exists()
    assert (image.units / "dev-video2.device.wants/fer-edge@video2.service").is_symlink()
    assert states(lambda: units.disable(image)) == ["done"]
    assert not (image.units / "dev-video2.device.wants/fer-edge@video2.service").is_symlink()


@pytest.mark.parametrize("device", ["video0", "/dev/video0", "/dev/v4l/by-id/usb-A_b.c é-video-index0", ".x/y:z"])
def test_devices_are_written_as_systemd_writes_them(device: str) -> None:
    if shutil.which("systemd-escape") is None:
        pytest.skip("needs systemd-escape: scripts/system-packages --systemd")
    path = f"/{device.removeprefix('/dev/')}"
    told = subprocess.run(["systemd-escape", "--path", path], capture_output=True, text=True, check=True)
    assert escape(device) == told.stdout.strip()


def test_what_to_install_is_found_or_told(wheels: Path, tmp_path: Path) -> None:
    found = packages.find(wheels, ("mqtt",))
    assert (found.version, found.wheels, found.extras) == ("1.2.3", wheels, ("mqtt",))
    other = packages.find(wheels, ())
    assert found.digest() != other.digest() != other.digest("numpy<2")
    (wheels / "fer_edge-1.2.4-py3-none-any.whl").write_bytes(b"another")
    with pytest.raises(UsageError, match=r"there are several wheels \(fer_edge-1\.2\.3-.*\): give a folder with one"):
        packages.find(wheels, ())
    with pytest.raises(UsageError, match=r"there is no fer_edge-\*\.whl"):
        packages.find(tmp_path, ())
    with pytest.raises(UsageError, match=r"there is no fer_edge-\*\.whl"):
        packages.find(tmp_path / "nowhere", ())


def test_an_environment_that_cannot_be_made_leaves_what_was_there(image: Layout, wheels: Path) -> None:
    # Its Python is an empty file, which nothing can run.
    (image.at("/opt") / "fer-edge").mkdir(parents=True)
    (image.at("/opt") / "fer-edge" / "mine").write_text("")
    before = everything(image.root)
    with pytest.raises(FerError, match="environment: "):
        states(lambda: environment.create(image, packages.find(wheels, ())))
    assert everything(image.root) == before


@needs_systemd
def test_an_environment_that_was_made_by_hand_stays_without_wheels(image: Layout) -> None:
    image.environment.mkdir(parents=True)
    done = service("install", "--root", image.root, "--dry-run")
    assert done.exit_code == 1
    assert "was made by hand and has no bin/fer-edge: install it there" in done.stderr
    (image.environment / "bin").mkdir()
    (image.environment / "bin/fer-edge").touch()
    done = service("install", "--root", image.root, "--dry-run")
    assert done.exit_code == 0, done.stderr
    assert "unchanged  environment    /opt/fer-edge, made by hand; --wheels DIR replaces it" in done.stdout.splitlines()


def test_pythons_that_cannot_do_it_are_told(image: Layout, wheels: Path) -> None:
    link = image.root / "usr/bin/python3"
    link.unlink()
    link.symlink_to("python3.9")
    with pytest.raises(FerError, match=r"is python3\.9: fer-edge needs 3\.11 or newer"):
        environment.create(image, packages.find(wheels, ()))
    link.unlink()
    with pytest.raises(FerError, match="apt install python3"):
        environment.create(image, packages.find(wheels, ()))


def test_numpy_is_held_for_picamera2_of_the_same_age(image: Layout, wheels: Path) -> None:
    found = packages.find(wheels, ())
    plain = environment.create(image, found).told
    there = image.at("/usr/lib/python3/dist-packages")
    for name in ("simplejpeg-1.6.6.egg-info", "numpy-1.24.2.egg-info"):
        (there / name).mkdir(parents=True)
    assert environment.pins(image) == ("numpy<2",)
    assert plain == "/opt/fer-edge: fer-edge 1.2.3"


@needs_systemd
def test_a_dry_run_changes_nothing(image: Layout, wheels: Path) -> None:
    given = wheels / "mqtt.toml"
    given.write_text(MQTT)
    before = everything(image.root)
    done = service("install", "--root", image.root, "--wheels", wheels, "--config", given, "--dry-run")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines() == [
        "would do   user           fer-edge, in the group video",
        "would do   environment    /opt/fer-edge: fer-edge 1.2.3 with mqtt",
        "would do   configuration  /etc/fer-edge/config.toml",
        "would do   units          /etc/systemd/system/fer-edge.service, /etc/systemd/system/fer-edge@.service, "
        "/etc/udev/rules.d/70-fer-edge.rules",
        "would do   network        open, by /etc/systemd/system/fer-edge.service.d/network.conf",
        "would do   enable         fer-edge.service starts at boot",
    ]
    assert everything(image.root) == before


def test_a_model_for_a_configuration_that_uses_none_is_refused(image: Layout, wheels: Path) -> None:
    given = wheels / "a.toml"
    given.write_text(MQTT)
    done = service(
        "install", "--root", image.root, "--wheels", wheels, "--config", given, "--model", "a.tflite", "--dry-run"
    )
    assert done.exit_code == 2
    assert "set model.store = '/var/lib/fer-edge/models' in it" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("install", "--root", "/nowhere"), "--root /nowhere: there is no such folder"),
        (("install", "--config", "a.toml", "--camera", "auto"), "--config and --camera both name the camera"),
        (("uninstall", "--root", "/nowhere"), "--root /nowhere: there is no such folder"),
    ],
)
def test_bad_arguments(arguments: tuple[str, ...], told: str) -> None:
    done = service(*arguments)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"error: {told}")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(Path("/run/systemd/system").is_dir(), reason="systemd runs here")
@pytest.mark.parametrize("command", ["install", "uninstall", "status"])
def test_without_systemd_one_line_says_so(command: str) -> None:
    done = service(command)
    assert done.exit_code == 1
    assert done.stderr == (
        "error: systemd does not run here: start this where it does, or give --root DIR to prepare an image\n"
    )


@needs_root
def test_who_is_not_root_is_told() -> None:
    os.seteuid(65534)
    try:
        done = service("uninstall", "--root", "/usr")
    finally:
        os.seteuid(0)
    assert done.exit_code == 1
    assert done.stderr.startswith("error: this changes the system: start it as root")
    assert len(done.stderr.splitlines()) == 1


@needs_root
@needs_systemd
def test_purging_removes_all_that_was_installed(image: Layout) -> None:
    before = {*everything(image.root), "etc/sysusers.d"}
    user.create(image).work()  # type: ignore[misc]
    configuring.write(image, configuring.chosen(image, None, None), force=False).work()  # type: ignore[misc]
    units.write(image).work()  # type: ignore[misc]
    units.enable(image).work()  # type: ignore[misc]
    for folder in (
        image.state,
        image.logs,
        image.at("/opt/fer-edge-1.2.3-python3.11-0123abcd"),
        image.at("/opt/fer-edge-x"),
    ):
        folder.mkdir(parents=True)
    placing.link(image.environment, "fer-edge-1.2.3-python3.11-0123abcd")
    done = service("uninstall", "--root", image.root)
    assert done.exit_code == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["done"] * 3
    assert image.configuration.exists()
    assert image.state.exists()
    done = service("uninstall", "--root", image.root, "--purge")
    assert done.exit_code == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["unchanged"] * 3 + ["done"] * 4
    assert placing.service_user(image) is None
    left = {name for name in everything(image.root) if not image.root.joinpath(name).is_dir()}
    assert not [name for name in left if "fer-edge" in name]
    assert image.at("/opt/fer-edge-x").exists(), "it is somebody else's"
    assert not [name for name in before if name.startswith("usr") and name not in everything(image.root)]
