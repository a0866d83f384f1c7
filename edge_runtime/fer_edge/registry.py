"""Implementations found by name: one module of a package each, so that adding one is adding one file."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from fer_edge.errors import UsageError


class Registry:
    """The implementations in a package, imported at first use.

    Example:
        >>> Registry("fer_edge.detectors", "detector").names()
        ('haar',)
    """

    def __init__(self, package: str, what: str) -> None:
        """Name a package whose modules are implementations.

        Args:
            package: Dotted name of the package.
            what: What one of them is, for messages: "detector".
        """
        self.package = package
        self.what = what

    def names(self) -> tuple[str, ...]:
        """Give the names, sorted; dashes stand for the underscores of the modules."""
        folders = importlib.import_module(self.package).__path__
        modules = (module.name for module in pkgutil.iter_modules(folders))
        return tuple(sorted(name.replace("_", "-") for name in modules if not name.startswith("_")))

    def load(self, name: str) -> ModuleType:
        """Import one implementation.

        Raises:
            UsageError: The name is not known.
        """
        if name not in self.names():
            raise UsageError(f"no {self.what} is called {name!r}; there are {', '.join(self.names())}")
        return importlib.import_module(f"{self.package}.{name.replace('-', '_')}")
