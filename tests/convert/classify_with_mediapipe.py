"""Classify faces as a phone does; run by test_mediapipe.py in an environment that has MediaPipe.

Arguments: out.json, then pairs of a model and its faces.npy, [N, H, W, 3] uint8. For each model `out.json` has its
probabilities by label, a face each, or why MediaPipe refuses it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import mediapipe
import numpy as np
from mediapipe.tasks.python import BaseOptions
from mediapipe.tasks.python.vision import ImageClassifier, ImageClassifierOptions


def classify(model: str, faces: Any) -> Any:
    options = ImageClassifierOptions(base_options=BaseOptions(model_asset_path=model))
    try:
        classifier = ImageClassifier.create_from_options(options)
    except ValueError as error:
        return str(error)
    rows = []
    with classifier:
        for face in faces:
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=face)
            (head,) = classifier.classify(image).classifications
            rows.append({category.category_name: category.score for category in head.categories})
    return rows


if __name__ == "__main__":
    out, *pairs = sys.argv[1:]
    results = [classify(model, np.load(faces)) for model, faces in zip(pairs[::2], pairs[1::2], strict=True)]
    Path(out).write_text(json.dumps(results))
