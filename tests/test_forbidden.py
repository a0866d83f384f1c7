"""What no module of ours does: read pickles, evaluate text, give text to a shell, download at run time."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = {
    "fer_edge": "edge_runtime",
    "fer_train": "train",
    "fer_convert": "convert",
    "fer_bench": "benchmarks",
}
# What they read can run code.
MODULES = frozenset(
    {"pickle", "_pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "yaml", "code"}
)
# Of the device, which reaches the network by its outputs' libraries and by FFmpeg, each where it is asked to.
DOWNLOADS = frozenset(
    {"urllib.request", "urllib3", "http.client", "requests", "httpx", "aiohttp", "ftplib", "pip", "ensurepip"}
)
# Of these the half that answers.
SERVERS = frozenset({"aiohttp.web", "aiohttp.multipart", "aiohttp.http_exceptions"})
CALLS = frozenset({"eval", "exec", "compile", "__import__", "execfile", "input"})
SHELLS = frozenset({"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "tempfile.mktemp"})


def sources() -> dict[str, Path]:
    return {
        str(path.relative_to(REPOSITORY)): path
        for package, folder in PACKAGES.items()
        for path in sorted((REPOSITORY / folder / package).rglob("*.py"))
    }


def faults(text: str, package: str) -> Iterator[str]:
    """Give what a module does that none may, with the line."""
    forbidden = MODULES | (DOWNLOADS if package == "fer_edge" else frozenset())
    for node in ast.walk(ast.parse(text)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if SERVERS.intersection((name, ".".join(parts[:2]))):
                continue
            if forbidden.intersection(".".join(parts[:end]) for end in range(1, len(parts) + 1)) or name in SHELLS:
                yield f"{node.lineno}: imports {name}"
        if isinstance(node, ast.Call):
            yield from (f"{node.lineno}: {fault}" for fault in _call(node))


def _call(call: ast.Call) -> Iterator[str]:
    name = ast.unparse(call.func)
    given = {one.arg: ast.unparse(one.value) for one in call.keywords}
    if name in CALLS or name in SHELLS:
        yield f"calls {name}"
    if given.get("shell", "False") != "False":
        yield f"calls {name} with a shell"
    if name.rpartition(".")[2] == "load" and name.partition(".")[0] in ("np", "numpy"):
        if given.get("allow_pickle") != "False":
            yield "calls np.load without allow_pickle=False"
    elif given.get("allow_pickle", "False") != "False":
        yield f"calls {name} with pickles"
    # Keras runs code that a file brings along, where it is told to.
    if given.get("safe_mode", "True") != "True" or name.endswith("enable_unsafe_deserialization"):
        yield f"calls {name} with code from files"


@pytest.mark.parametrize("name", sources())
def test_no_module_does_what_none_may(name: str) -> None:
    package = Path(name).parts[1]
    assert list(faults(sources()[name].read_text(), package)) == []


def test_all_packages_are_read() -> None:
    assert {Path(name).parts[1] for name in sources()} == PACKAGES.keys()
    assert len(sources()) > 200


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("import pickle", "1: imports pickle"),
        ("def f():\n    from marshal import loads", "2: imports marshal.loads"),
        ("import urllib.request", "1: imports urllib.request"),
        ("from urllib import request", "1: imports urllib.request"),
        ("from http.client import HTTPConnection", "1: imports http.client.HTTPConnection"),
        ("from aiohttp import ClientSession", "1: imports aiohttp.ClientSession"),
        ("import aiohttp", "1: imports aiohttp"),
        ("from os import system", "1: imports os.system"),
        ("os.system('ls')", "1: calls os.system"),
        ("eval('1')", "1: calls eval"),
        ("subprocess.run('ls', shell=True)", "1: calls subprocess.run with a shell"),
        ("subprocess.run('ls', shell=wanted)", "1: calls subprocess.run with a shell"),
        ("np.load(path)", "1: calls np.load without allow_pickle=False"),
        ("np.load(path, allow_pickle=True)", "1: calls np.load without allow_pickle=False"),
        ("np.save(path, array, allow_pickle=True)", "1: calls np.save with pickles"),
        ("yaml.load(text)\nimport yaml", "2: imports yaml"),
        ("load_model(path, safe_mode=False)", "1: calls load_model with code from files"),
    ],
)
def test_each_would_be_found(text: str, fault: str) -> None:
    assert list(faults(text, "fer_edge")) == [fault]


@pytest.mark.parametrize(
    "text", ["np.load(path, allow_pickle=False)", "from urllib.parse import urlsplit", "from aiohttp import web"]
)
def test_what_may_be_is_let_through(text: str) -> None:
    assert list(faults(text, "fer_edge")) == []
