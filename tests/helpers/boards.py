"""What the kernels of Raspberry Pis and of a PC tell in files."""

from __future__ import annotations

CPU = "sys/devices/system/cpu"
ZONE = "sys/class/thermal/thermal_zone"
FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"
Tree = dict[str, str]


def arm(part: str, processors: int, extra: str = "") -> str:
    """Give what /proc/cpuinfo of a Raspberry Pi says; a 32-bit kernel says a "model name" in addition."""
    block = (
        "processor\t: {}\n" + extra + "BogoMIPS\t: 108.00\n"
        "Features\t: fp asimd evtstrm crc32 cpuid\nCPU implementer\t: 0x41\nCPU architecture: 8\n"
        f"CPU variant\t: 0x0\nCPU part\t: {part}\nCPU revision\t: 3\n"
    )
    blocks = "\n".join(block.format(number) for number in range(processors))
    return f"{blocks}\nRevision\t: c03111\nSerial\t\t: 10000000abcdef01\nModel\t\t: as in the device tree\n"


def frequencies(kilohertz: int, processors: int, governor: str = "ondemand") -> Tree:
    tree = {f"{CPU}/online": f"0-{processors - 1}\n"}
    for number in range(processors):
        tree[f"{CPU}/cpu{number}/cpufreq/scaling_cur_freq"] = f"{kilohertz}\n"
        tree[f"{CPU}/cpu{number}/cpufreq/scaling_governor"] = f"{governor}\n"
    return tree


PI_3 = {
    "proc/device-tree/model": "Raspberry Pi 3 Model B Plus Rev 1.3\0",
    "proc/cpuinfo": arm("0xd03", 4, extra="model name\t: ARMv7 Processor rev 4 (v7l)\n"),
    f"{ZONE}0/type": "cpu-thermal\n",
    f"{ZONE}0/temp": "60148\n",
    f"{ZONE}0/trip_point_0_type": "critical\n",
    f"{ZONE}0/trip_point_0_temp": "90000\n",
    FIRMWARE: "80008\n",
    **frequencies(1_400_000, 4),
}


ZERO_2_W = {
    # As in a sandbox without /proc/device-tree.
    "sys/firmware/devicetree/base/model": "Raspberry Pi Zero 2 W Rev 1.0\0",
    "proc/cpuinfo": arm("0xd03", 4),
    f"{ZONE}0/type": "cpu-thermal\n",
    f"{ZONE}0/temp": "45622\n",
    FIRMWARE: "0\n",
    **frequencies(1_000_000, 4, "schedutil"),
}


PI_4 = {
    "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.1\0",
    "proc/cpuinfo": arm("0xd08", 4),
    f"{ZONE}0/type": "cpu-thermal\n",
    f"{ZONE}0/temp": "82303\n",
    FIRMWARE: "e0006\n",
    **frequencies(1_500_000, 4),
}


PI_5 = {
    "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    "proc/cpuinfo": arm("0xd0b", 4),
    f"{ZONE}0/type": "cpu-thermal\n",
    f"{ZONE}0/temp": "51250\n",
    # These switch the fan.
    f"{ZONE}0/trip_point_0_type": "critical\n",
    f"{ZONE}0/trip_point_0_temp": "110000\n",
    f"{ZONE}0/trip_point_1_type": "active\n",
    f"{ZONE}0/trip_point_1_temp": "50000\n",
    "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled": "0\n",
    **frequencies(2_400_000, 4),
}


X86 = {
    "proc/cpuinfo": "".join(
        f"processor\t: {number}\nvendor_id\t: GenuineIntel\nmodel\t\t: 140\n"
        f"model name\t: 11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz\ncpu MHz\t\t: {megahertz}\n\n"
        for number, megahertz in enumerate((4690.102, 400.0, 2800.5))
    ),
    f"{CPU}/online": "0,2-3\n",
    f"{ZONE}0/type": "acpitz\n",
    f"{ZONE}0/temp": "99000\n",
    f"{ZONE}0/trip_point_0_type": "passive\n",
    f"{ZONE}0/trip_point_0_temp": "20000\n",
    f"{ZONE}1/type": "x86_pkg_temp\n",
    f"{ZONE}1/temp": "61000\n",
    f"{ZONE}1/trip_point_0_type": "passive\n",
    f"{ZONE}1/trip_point_0_temp": "-274000\n",
    f"{ZONE}2/type": "TCPU\n",
    f"{ZONE}2/temp": "64500\n",
    f"{ZONE}2/trip_point_0_type": "critical\n",
    f"{ZONE}2/trip_point_0_temp": "105000\n",
    f"{ZONE}2/trip_point_1_type": "passive\n",
    f"{ZONE}2/trip_point_1_temp": "95000\n",
    f"{ZONE}2/trip_point_2_type": "passive\n",
    f"{ZONE}2/trip_point_2_temp": "97000\n",
}
