from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fer_edge.web.openapi import DOCUMENT
from pages import Served, Shown, ask, get, told

# Of JSON Schema's types in Python's.
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}


def faults(value: Any, schema: dict[str, Any], place: str = "$") -> Iterator[str]:
    """Tell where a value is not as the document says; knows what the document uses."""
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for word in schema:
        assert word in KNOWN, f"{word} is not looked at"
    if "anyOf" in schema:
        tried = [list(faults(value, one, place)) for one in schema["anyOf"]]
        yield from [] if [] in tried else min(tried, key=len)
    if "const" in schema and value != schema["const"]:
        yield f"{place} is {value!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place} is {value!r}"
    kind = schema.get("type")
    if kind == "null":
        yield from [] if value is None else [f"{place} is not null"]
    elif kind is not None and (not isinstance(value, TYPES[kind]) or (kind != "boolean" and isinstance(value, bool))):
        yield f"{place} is no {kind}"
    elif kind == "object":
        yield from (f"{place} has no {name}" for name in schema.get("required", ()) if name not in value)
        rest = schema.get("additionalProperties", True)
        for name, inner in value.items():
            found = schema.get("properties", {}).get(name, rest)
            if found is False:
                yield f"{place} has {name}"
            elif isinstance(found, dict):
                yield from faults(inner, found, f"{place}.{name}")
    elif kind == "array":
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            yield f"{place} has {len(value)} items"
        for number, inner in enumerate(value):
            yield from faults(inner, schema["items"], f"{place}[{number}]")
    elif kind in ("integer", "number") and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{place} is {value}"


KNOWN = {
    "additionalProperties", "anyOf", "const", "description", "enum", "format", "items", "maximum", "maxItems",
    "minimum", "minItems", "properties", "required", "type",
}  # fmt: skip


def schema_of(path: str, method: str, status: int) -> dict[str, Any]:
    answer = DOCUMENT["paths"][path][method]["responses"][str(status)]
    if "$ref" in answer:
        answer = DOCUMENT["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    found: dict[str, Any] = answer["content"]["application/json"]["schema"]
    return found


def test_what_is_wrong_would_be_found() -> None:
    state = DOCUMENT["components"]["schemas"]["State"]
    assert list(faults({"error": 1}, schema_of("/api/v1/predict", "post", 400))) == ["$.error is no string"]
    assert "$ has more" in list(faults({"more": 1}, state))
    assert "$ has no fps" in list(faults({"more": 1}, state))
    assert list(faults([1, 2], {"type": "array", "items": {"type": "integer", "minimum": 2}})) == ["$[0] is 1"]


def test_the_document_is_what_is_served(show: Callable[..., Shown]) -> None:
    assert told(get(f"{show().url}/api/v1/openapi.json")[2]) == DOCUMENT
    assert DOCUMENT["openapi"] == "3.1.0"


def test_every_path_is_described_and_no_other(show: Callable[..., Shown], serve: Callable[..., Served]) -> None:
    there = set()
    for server in (show().page.server, serve().server):
        for route in server._app.router.routes():
            assert route.resource is not None
            if route.method != "HEAD":
                there.add((route.resource.canonical, route.method.lower()))
    sockets = {("/api/v1/stream", "get"), ("/api/v1/camera", "get")}
    page = {("/", "get"), ("/page/{name}", "get")}
    described = {(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods}
    short = {(path.replace("/api/v1/", "/api/"), method) for path, method in described | sockets if "/api/" in path}
    assert there == described | sockets | page | short
    for path, _ in sockets:
        assert path in DOCUMENT["info"]["description"]


@pytest.mark.parametrize("frames", [0, 3])
def test_states_are_as_described(show: Callable[..., Shown], frames: int) -> None:
    shown = show()
    for _ in range(frames):
        shown.show()
    state = told(get(f"{shown.url}/api/v1/state")[2])
    assert list(faults(state, schema_of("/api/v1/state", "get", 200))) == []
    assert (state["result"] is None) == (frames == 0)


def test_predictions_and_problems_are_as_described(serve: Callable[..., Served], people: bytes) -> None:
    url = f"{serve(upload_mb=0.2).url}/api/v1/predict"
    for content, expected in ((people, 200), (b"x", 400), (bytes(200_001), 413)):
        status, _, body = ask("POST", url, data=content, headers={"Content-Type": "image/jpeg"})
        assert status == expected
        assert list(faults(told(body), schema_of("/api/v1/predict", "post", status))) == []
    assert list(faults(told(get(f"{serve().url}/healthz")[2]), schema_of("/healthz", "get", 200))) == []


@pytest.mark.parametrize("mode", ["preview", "serve"])
def test_schemathesis_finds_nothing(show: Callable[..., Shown], serve: Callable[..., Served], mode: str) -> None:
    if importlib.util.find_spec("schemathesis") is None:
        pytest.skip("needs schemathesis (extra dev)")
    served = {"preview": show, "serve": serve}[mode](predictions_per_minute=100_000)
    if isinstance(served, Shown):
        served.run()
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{served.url}/api/openapi.json"]
    # Events have no end; no schema tells what bytes are a picture.
    command += ["--exclude-path", "/api/v1/events", "--exclude-checks", "positive_data_acceptance"]
    command += ["--max-examples", "30", "--seed", "1", "--no-color", "--request-timeout", "30"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"Tested: (\d+)", done.stdout)
    assert found is not None
    assert int(found[1]) == len(DOCUMENT["paths"]) - 1
    assert get(f"{served.url}/healthz")[0] == 200
