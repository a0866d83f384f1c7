"""A machine that is booted, told what to do and cut from power, seen from the outside."""

from __future__ import annotations

import base64
import json
import shlex
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Self

# Emulated, a boot takes half a minute on two free cores; others may want those too.
BOOT_S = 600.0
# Each question costs the emulated machine some milliseconds.
_POLL_S = 0.4


class Answer(NamedTuple):
    """What a command in the machine came to.

    Attributes:
        code: Its exit code; 128 and the number for a signal.
        output: Of stdout and stderr.
    """

    code: int
    output: str


class Machine:
    """A virtual machine with a disk of its own, whose changes outlive it and stay off the image."""

    def __init__(self, made: Path, work: Path, accelerator: str = "tcg") -> None:
        """Put a disk over the image.

        Args:
            made: Folder with `disk.img`, `kernel` and `initrd`.
            work: Folder for what belongs to this machine.
            accelerator: Of QEMU: tcg emulates.
        """
        self._made = made
        self._work = work
        self._accelerator = accelerator
        self.disk = work / "disk.qcow2"
        self.console = work / "console.txt"
        self.powered_s = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._agent: _Agent | None = None
        image = made.resolve() / "disk.img"
        subprocess.run(
            ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(image), "-F", "raw", str(self.disk)], check=True
        )

    def power_on(self) -> Self:
        """Start it and wait until it answers.

        Raises:
            TimeoutError: It does not, within `BOOT_S`.
        """
        assert self._process is None, "it is on"
        port = self._work / "agent"
        port.unlink(missing_ok=True)
        self.powered_s = time.monotonic()
        self._process = subprocess.Popen(
            [
                *("qemu-system-x86_64", "-machine", "q35,sata=off,smbus=off,usb=off", "-accel", self._accelerator),
                # Without AVX, LiteRT's portable kernels round otherwise than the self-tests of models expect of x86-64.
                # With QEMU's `max`, boots were seen to fail at random.
                *("-cpu", "Haswell-noTSX", "-smp", "2", "-m", "1G"),
                *("-nodefaults", "-display", "none", "-nic", "none", "-no-reboot", "-device", "virtio-rng-pci"),
                *("-kernel", str(self._made / "kernel"), "-initrd", str(self._made / "initrd")),
                *("-append", "root=/dev/vda ro console=ttyS0 quiet systemd.show_status=yes panic=-1 fsck.repair=yes"),
                # What the guest has not forced to the disk is in part in QEMU's memory, and goes with it.
                *("-drive", f"file={self.disk},if=virtio,cache=writeback"),
                *("-chardev", f"file,id=console,path={self.console},append=on", "-serial", "chardev:console"),
                *("-chardev", f"socket,id=agent,path={port},server=on,wait=off", "-device", "virtio-serial"),
                *("-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"),
            ]
        )
        until = self.powered_s + BOOT_S
        while not port.exists():
            self._still_on(until)
            time.sleep(_POLL_S)
        self._agent = _Agent(port)
        while not self._agent.answers():
            self._still_on(until)
        return self

    def _still_on(self, until: float) -> None:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"QEMU ended with {self._process.returncode}")
        if time.monotonic() > until:
            raise TimeoutError(f"no answer {BOOT_S:.0f} s after power on; {self.console} tells how far it came")

    def run(self, command: str, timeout_s: float = 120.0) -> Answer:
        """Run a line of bash as root. Raises `TimeoutError`."""
        assert self._agent is not None, "it is off"
        limited = ["-k", "5", f"{timeout_s:.0f}", "bash", "-c", f"{{ {command}\n}} 2>&1"]
        return self._agent.execute("/usr/bin/timeout", limited, timeout_s + 30)

    def output(self, command: str, timeout_s: float = 120.0) -> str:
        """Run a line of bash that has to succeed; give what it printed, without the last line end."""
        answer = self.run(command, timeout_s)
        assert answer.code == 0, f"{command}: exit code {answer.code}\n{answer.output}"
        return answer.output.rstrip("\n")

    def shown(self, *properties: str, unit: str = "fer-edge") -> dict[str, str]:
        """Give properties of a unit, by `systemctl show`."""
        lines = self.output(f"systemctl show {shlex.quote(unit)} -p {','.join(properties)}").splitlines()
        return dict(line.split("=", 1) for line in lines)

    def wait(self, what: str, holds: Callable[[], bool], timeout_s: float = 120.0) -> float:
        """Wait until something holds; give how long that took, seconds. Raises `TimeoutError`."""
        began = time.monotonic()
        while not holds():
            if time.monotonic() - began > timeout_s:
                raise TimeoutError(f"{what}: not within {timeout_s:.0f} s")
            time.sleep(0.5)
        return time.monotonic() - began

    def cut_power(self) -> None:
        """End it as by pulling the plug."""
        if self._agent is not None:
            self._agent.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = self._agent = None

    def power_off(self) -> None:
        """Shut it down in order. Raises `subprocess.TimeoutExpired`."""
        assert self._process is not None
        assert self._agent is not None
        # It may be off before it answers.
        self._agent.tell("guest-exec", path="/usr/bin/systemctl", arg=["poweroff"])
        self._process.wait(timeout=BOOT_S)
        self.cut_power()


class _Agent:
    """QEMU's guest agent (https://qemu.org/docs/master/interop/qemu-ga-ref.html), one object a line."""

    def __init__(self, port: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(port))
        self._received = b""
        self._asked = False

    def close(self) -> None:
        self._socket.close()

    def answers(self) -> bool:
        """Tell whether it is there, after a second at most."""
        if not self._asked:  # once: who is not there yet will read it
            self._asked = True
            self.tell("guest-sync", id=1)
        try:
            return bool(self._answer(1.0) == 1)
        except TimeoutError:
            return False

    def tell(self, command: str, **arguments: Any) -> None:
        self._socket.settimeout(10)
        self._socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")

    def execute(self, program: str, arguments: list[str], timeout_s: float) -> Answer:
        until = time.monotonic() + timeout_s
        self.tell("guest-exec", path=program, arg=arguments, **{"capture-output": True})
        number = self._answer(timeout_s)["pid"]
        while True:
            self.tell("guest-exec-status", pid=number)
            told = self._answer(until - time.monotonic())
            if told["exited"]:
                code = told.get("exitcode", 128 + told.get("signal", 0))
                return Answer(code, base64.b64decode(told.get("out-data", "")).decode(errors="replace"))
            time.sleep(_POLL_S)

    def _answer(self, timeout_s: float) -> Any:
        """Give what the next line returns. Raises `TimeoutError`."""
        until = time.monotonic() + timeout_s
        while b"\n" not in self._received:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError("the machine does not answer")
            self._socket.settimeout(left)
            received = self._socket.recv(1 << 16)
            if not received:
                raise TimeoutError("the machine is off")
            self._received += received
        line, _, self._received = self._received.partition(b"\n")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"guest agent: {answer['error']['desc']}")
        return answer["return"]
