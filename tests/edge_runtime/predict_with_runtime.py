"""Classify faces with one interpreter; run by test_interpreters_agree.py in an environment that has it.

Arguments: model, faces.npy, name of the runtime, "portable" or "fast", out.npy
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from fer_edge import evaluation
from fer_edge.classifier import Classifier

if __name__ == "__main__":
    model, faces, runtime, kernels, out = sys.argv[1:]
    classifier = Classifier.load(Path(model), runtime=runtime, threads=1, portable=kernels == "portable")
    np.save(out, evaluation.predict(classifier, np.load(faces)))
