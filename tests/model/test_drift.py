"""The population stability index: by hand, without alarms by chance, and on shops in which one feature drifts."""

import numpy as np
import pandas as pd
import pytest
from pandas_features import features

from fraudstream.data.generate.drift import DRIFTS
from fraudstream.data.generate.shop import build
from fraudstream.model.drift import MIN_ROWS, counts, drifted, reference, stability
from fraudstream.model.train.pipelines import CATEGORIES, NUMBERS


def test_the_index_is_the_textbooks():
    index, _ = stability(np.array([4000, 6000]), np.array([600, 400]))
    assert index == pytest.approx(0.2 * np.log(0.6 / 0.4) + (-0.2) * np.log(0.4 / 0.6), abs=0.001)


def test_ranges_are_deciles_values_and_one_for_what_is_missing():
    methods = ["OVO"] * 50 + ["Gopay"] * 51
    rows = pd.DataFrame({"amount": [*range(1, 101), None], "fee": [0] * 101, "method": methods})
    found = reference(rows, ["method"], ["amount", "fee"])
    assert found["amount"]["counts"] == [10] * 10 + [1]
    assert found["fee"] == {"edges": [0.0], "counts": [101, 0, 0]}
    assert found["method"] == {"values": ["Gopay", "OVO"], "counts": [51, 50, 0]}
    assert counts(found["method"], pd.Series(["OVO", None, "Cash"])).tolist() == [0, 1, 2]
    assert counts(found["amount"], pd.Series([None, 1000.0, -5.0])).tolist() == [1, *[0] * 8, 1, 1]


def test_what_chance_alone_does_stays_below_the_second_figure():
    rng = np.random.default_rng(3)
    then = rng.multinomial(6750, np.full(10, 0.1))
    found = [stability(then, rng.multinomial(600, np.full(10, 0.1))) for _ in range(2000)]
    assert [index for index, chance in found if index > chance] == []
    assert max(index / chance for index, chance in found) > 0.5


def test_few_rows_are_not_judged_and_a_small_shift_of_many_is_not_marked():
    rows = pd.DataFrame({"method": ["OVO", "Gopay"] * MIN_ROWS})
    features_ = reference(rows, ["method"], [])
    assert drifted(features_, rows.head(MIN_ROWS - 1)) is None
    shifted = pd.DataFrame({"method": ["OVO"] * 60_000 + ["Gopay"] * 40_000})
    assert drifted(features_, shifted) == {}


@pytest.mark.faults
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_the_drifting_feature_and_only_it_is_marked(seed):
    judged = None
    for drift in ("", *DRIFTS):
        shop = build(1, seed, drift)
        if judged is None:
            past = features(shop)
            judged = reference(past[len(past) * 4 // 5 :], CATEGORIES, NUMBERS)
        new = features(shop, "new_")
        for end in range(MIN_ROWS, len(new) + 1, 150):
            marked = drifted(judged, new[max(0, end - 4500) : end])
            assert list(marked) == ([drift] if drift else []), (drift, end, marked)
