"""The API as an OpenAPI document. Tests hold it to the answers; WebSockets have no place in one."""

from __future__ import annotations

from typing import Any

from fer_edge.web.guard import COOKIE
from fer_edge.web.pictures import TYPES
from fer_edge.web.state import VERSION

_NUMBER: dict[str, Any] = {"type": "number"}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
_TEXT: dict[str, Any] = {"type": "string"}


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    properties = {**required, **(optional or {})}
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _problems(*statuses: str) -> dict[str, Any]:
    return {status: {"$ref": f"#/components/responses/{status}"} for status in (*statuses, *_REFUSALS)}


_PROBABILITIES = {
    "type": "object",
    "description": "Label to probability, in the model's order; they sum to 1.",
    "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1},
}
_SCHEMAS: dict[str, Any] = {
    "Problem": _object({"error": {**_TEXT, "description": "What is wrong, in one line."}}),
    "Health": _object({"status": {**_TEXT, "description": "ok, or since when there has been no frame."}}),
    "Face": _object(
        {
            "track": {**_COUNT, "description": "Number of the face, from 1, kept as long as it is followed."},
            "box": {
                "type": "array",
                "items": {"type": "integer"},
                "minItems": 4,
                "maxItems": 4,
                "description": "Left, top, width, height, pixels.",
            },
            "expression": {**_TEXT, "description": "A label, or uncertain."},
            "confidence": {"type": "number", "minimum": 0, "maximum": 1},
            "probabilities": _PROBABILITIES,
        },
        {"raw": _PROBABILITIES},
    ),
    "Result": _object(
        {
            "frame": _COUNT,
            "time": {"type": "string", "format": "date-time"},
            "source": _TEXT,
            "age_ms": {**_NUMBER, "description": "From capture to result."},
            "dropped": {**_COUNT, "description": "Frames of the camera that nobody took, so far."},
            "faces": {"type": "array", "items": _ref("Face")},
            "ms": _object({"capture": _NUMBER, "detect": _NUMBER, "classify": _NUMBER, "total": _NUMBER}),
        },
        {
            "board": _object(
                {
                    "temperature_c": _or_null(_NUMBER),
                    "throttled": _or_null({"type": "array", "items": _TEXT}),
                    "rate": _or_null(_NUMBER),
                }
            )
        },
    ),
    "State": _object(
        {
            "version": {"const": VERSION},
            "mode": {"enum": ["preview", "serve"]},
            "source": _TEXT,
            "labels": {"type": "array", "items": _TEXT},
            "model": {**_TEXT, "description": "Its name; empty while it is being loaded."},
            "result": _or_null(_ref("Result")),
            "picture": _or_null(_object({"width": _COUNT, "height": _COUNT})),
            "fps": _or_null(_NUMBER),
            "dropped": _COUNT,
            "uptime_s": _NUMBER,
            "camera": {"enum": ["ok", "no camera"]},
            "temperature_c": _or_null(_NUMBER),
            "throttled": _or_null({"type": "boolean"}),
        }
    ),
    "Prediction": _object({"results": {"type": "array", "items": _ref("Result"), "minItems": 1, "maxItems": 1}}),
}
_REFUSALS = {
    "401": "No token, or a wrong one.",
    "403": "A page of another site asks.",
    "421": "The name asked for is none of this machine's.",
}
_FAILURES = {
    "400": "No picture, or one that cannot be decoded.",
    "404": "There is no such thing.",
    "408": "The picture did not arrive in time.",
    "411": "The length of the picture is missing.",
    "413": "Too many bytes or pixels.",
    "415": "Neither JPEG nor PNG, nor a form.",
    "429": "Too many pictures a minute, or too many wrong tokens.",
    "503": "Other pictures are being looked at.",
}
_BINARY = {"type": "string", "format": "binary"}

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "fer-edge",
        "version": str(VERSION),
        "description": "Facial expressions of a camera, or of pictures that are sent. There are two WebSockets as "
        "well: /api/v1/stream (pictures and states) and /api/v1/camera (pictures in, states out).",
    },
    "security": [{}, {"bearer": []}, {"cookie": []}],
    "paths": {
        "/healthz": {
            "get": {
                "summary": "Whether it works; needs no token.",
                "operationId": "health",
                "security": [],
                "responses": {
                    "200": _json("It does.", _ref("Health")),
                    "421": {"$ref": "#/components/responses/421"},
                    "503": _json("The camera's loop stands still.", _ref("Health")),
                },
            }
        },
        "/metrics": {
            "get": {
                "summary": "Figures for Prometheus.",
                "operationId": "metrics",
                "responses": {
                    "200": {"description": "In Prometheus' text format.", "content": {"text/plain": {"schema": _TEXT}}},
                    **_problems("404", "429"),
                },
            }
        },
        "/api/v1/state": {
            "get": {
                "summary": "The newest result, and how the run is.",
                "operationId": "state",
                "responses": {"200": _json("The state.", _ref("State")), **_problems("429")},
            }
        },
        "/api/v1/events": {
            "get": {
                "summary": "The states as server-sent events, at most ten a second, the newest only.",
                "operationId": "events",
                "responses": {
                    "200": {
                        "description": "Events named state, whose data are a State; without end.",
                        "content": {"text/event-stream": {"schema": _TEXT}},
                    },
                    **_problems("429"),
                },
            }
        },
        "/api/v1/predict": {
            "post": {
                "summary": "What is seen in a picture.",
                "operationId": "predict",
                "requestBody": {
                    "required": True,
                    "content": {
                        **{kind: {"schema": _BINARY} for kind in TYPES},
                        "multipart/form-data": {
                            "schema": {"type": "object", "properties": {"image": _BINARY}, "required": ["image"]}
                        },
                    },
                },
                "responses": {
                    "200": _json("One result, with all faces.", _ref("Prediction")),
                    **_problems("400", "408", "411", "413", "415", "429", "503"),
                },
            }
        },
        "/api/v1/openapi.json": {
            "get": {
                "summary": "This document.",
                "operationId": "document",
                "responses": {"200": _json("OpenAPI 3.1.", {"type": "object"}), **_problems("429")},
            }
        },
    },
    "components": {
        "schemas": _SCHEMAS,
        "responses": {
            status: _json(description, _ref("Problem")) for status, description in {**_REFUSALS, **_FAILURES}.items()
        },
        "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer"},
            "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE},
        },
    },
}
