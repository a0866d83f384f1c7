"""The seven expressions of FER2013 in the order of its label numbers (Goodfellow et al. 2013, arXiv:1307.0414)."""

from __future__ import annotations

EXPRESSIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
