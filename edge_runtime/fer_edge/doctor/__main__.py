"""The process in which `apart` runs a check: CHECK MODULE ARGUMENTS; the findings on stdout, a JSON object a line."""

from __future__ import annotations

import faulthandler
import importlib
import os
import sys

import msgspec

from fer_edge.doctor.finding import Finding, failure


def main() -> None:
    """Run one check, and tell each finding as soon as it is there: what crashes later takes none along."""
    check, module, arguments = sys.argv[1:]
    # Native libraries write to file descriptor 1 as they like; the answer has one of its own.
    answer = os.dup(1)
    os.dup2(2, 1)
    # So that a crash tells where; 2 itself is hidden while an interpreter is made.
    faulthandler.enable(os.dup(2))

    def tell(finding: Finding) -> None:
        os.write(answer, msgspec.json.encode(finding) + b"\n")

    try:
        for found in importlib.import_module(f"fer_edge.doctor.{module}").examine(**msgspec.json.decode(arguments)):
            tell(found)
    except ImportError as error:
        advice = "install fer-edge again, into a new virtual environment"
        if "cannot open shared object file" in str(error):
            advice = "install the system's library of that name with apt; 'apt-file search NAME' tells the package"
        tell(failure(check, f"cannot be imported: {error}", advice))


if __name__ == "__main__":
    main()
