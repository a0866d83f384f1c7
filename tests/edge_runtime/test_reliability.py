from __future__ import annotations

import numpy as np
import pytest

from fer_edge import evaluation, reliability


def test_confidence_that_means_what_it_says_has_no_error() -> None:
    # 100 answers with 0.8, 80 of them right.
    probabilities = np.tile(np.array([[0.8, 0.2]], np.float32), (100, 1))
    labels = (np.arange(100) >= 80).astype(np.int64)
    found = reliability.bins(probabilities, labels)
    assert [one.images for one in found if one.images] == [100]
    assert reliability.calibration_error(found) == pytest.approx(0, abs=1e-6)


def test_the_error_is_the_mean_gap_weighted_by_answers() -> None:
    sure, unsure = np.array([[0.99, 0.01]] * 30, np.float32), np.array([[0.4, 0.6]] * 10, np.float32)
    labels = np.array([0] * 15 + [1] * 15 + [1] * 10)
    found = reliability.bins(np.concatenate([sure, unsure]), labels)
    # Half of the sure ones and all of the unsure ones are right.
    assert reliability.calibration_error(found) == pytest.approx((30 * 0.49 + 10 * 0.4) / 40, abs=1e-6)


def test_macro_f1_is_the_mean_over_the_classes_that_occur() -> None:
    # The third class never occurs and is answered once.
    cells = ((3, 1, 0), (0, 4, 1), (0, 0, 0))
    assert evaluation.macro_f1(cells) == pytest.approx((6 / 7 + 8 / 10) / 2)
