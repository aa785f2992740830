"""The generated data: statistics like the real shop's, consistent references, and fraud that is hard to find."""

import ast
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score, roc_auc_score

from fraudstream.data.generate import generate
from fraudstream.data.generate.profiles import FEES, FRAUDS, METHODS
from fraudstream.data.generate.shop import build
from fraudstream.schemas import FILES

LEVELS = {
    **dict.fromkeys(("AP", "ATC", "CO"), "l1_count"),
    **dict.fromkeys(("VC", "VP", "VI", "SER"), "l2_count"),
    **dict.fromkeys(("SCR", "HP", "CL"), "l3_count"),
}
# the real past, per transaction: mean, quartiles (None: not published)
PUBLISHED = {
    "l1_count": (3.70, 2, 3, 4),
    "l2_count": (3.60, 1, 2, 5),
    "l3_count": (8.23, 2, 5, 10),
    "l1_ratio": (34.06, 18.75, 33.33, 50),
    "l2_ratio": (19.12, 10, 20, 28.57),
    "age": (28.4, 23, 28, 33),
    "shipment_location_lat": (-5.11, None, -6.24, None),
    "shipment_location_long": (110.97, None, 110.17, None),
    "first_join_year": (2018.3, 2017, 2018, 2019),
}
PAST = ("browsing_behaviour.csv", "transactions.csv", "fraud_transaction.csv")
NEW = ("new_browsing_behaviour.csv", "new_transaction.csv", "new_fraud_transaction.csv")
UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """The files of the default size, read back as strings."""
    data_dir = tmp_path_factory.mktemp("data")
    generate(data_dir, progress=False)
    return {name: pd.read_csv(data_dir / name, dtype=str, keep_default_na=False) for name in FILES}


@pytest.fixture(scope="module")
def past(shop: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return features(shop, *PAST)


@pytest.fixture(scope="module")
def kinds() -> dict[str, str]:
    """transaction_id -> kind of buyer, which no file contains."""
    return build(1.0, 42).kinds


def features(shop: dict[str, pd.DataFrame], browsing: str, transactions: str, truth: str) -> pd.DataFrame:
    """Part A's features in pandas, with is_fraud: one row a transaction, in the order of time."""
    sold = shop[transactions].merge(shop["customer.csv"], on="customer_id", validate="many_to_one")
    events = shop[browsing][["session_id", "event_type", "event_time"]].merge(sold[["session_id", "created_at"]])
    events = events[events["event_time"] <= events["created_at"]]
    levels = events["event_type"].map(LEVELS).rename("level")
    counts = events.groupby(["session_id", levels]).size().unstack(fill_value=0)
    sold = sold.merge(counts, left_on="session_id", right_index=True, how="left")
    total = sold[["l1_count", "l2_count", "l3_count"]].sum(axis=1)
    days = (pd.to_datetime(sold["created_at"]) - pd.to_datetime(sold["birthdate"])).dt.days
    frauds = shop[truth].query("is_fraud == 'True'")["transaction_id"]
    numbers = ["shipment_location_lat", "shipment_location_long", "promo_amount", "shipment_fee", "total_amount"]
    return sold.assign(
        l1_ratio=100 * sold["l1_count"] / total,
        l2_ratio=100 * sold["l2_count"] / total,
        age=np.floor(days / 365.25 + 0.5),
        first_join_year=sold["first_join_date"].str[:4].astype(int),
        is_fraud=sold["transaction_id"].isin(frauds),
        **{name: sold[name].astype(float) for name in numbers},
    )


def both(shop: dict[str, pd.DataFrame], kind: int) -> pd.DataFrame:
    """Past and new rows of browsing (0), transactions (1) or frauds (2), one below the other."""
    return pd.concat([shop[PAST[kind]], shop[NEW[kind]]], ignore_index=True)


@pytest.mark.parametrize("column", PUBLISHED)
def test_mean_and_quartiles_are_those_of_the_real_shop_within_a_fifth(past, column):
    measured = [past[column].mean(), *past[column].quantile([0.25, 0.5, 0.75])]
    pairs = [(ours, real) for ours, real in zip(measured, PUBLISHED[column], strict=True) if real is not None]
    assert [ours for ours, _ in pairs] == pytest.approx([real for _, real in pairs], rel=0.2)


def test_each_session_checks_out_once_at_its_transactions_created_at(shop):
    checkouts = both(shop, 0).query("event_type == 'CO'").set_index("session_id")["event_time"]
    created = both(shop, 1).set_index("session_id")["created_at"]
    assert checkouts.index.is_unique
    assert checkouts.sort_index().tolist() == created.sort_index().tolist()
    assert set(checkouts.index) == set(created.index)


def test_streams_are_sorted_with_ties_and_meet_at_new_year(shop):
    for name, column in zip(PAST[:2] + NEW[:2], ("event_time", "created_at") * 2, strict=True):
        assert shop[name][column].is_monotonic_increasing, name
        assert shop[name][column].str.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}").all(), name
    assert shop[NEW[0]]["event_time"].duplicated().sum() > 50
    assert shop[PAST[0]]["event_time"].iloc[-1] < "2024-01-01 00:00:00.000" <= shop[NEW[0]]["event_time"].iloc[0]
    assert shop[NEW[0]]["event_time"].iloc[0] < "2024-01-01 00:02"


def test_batch_of_200_rows_covers_20_to_30_minutes_and_5_to_10_transactions(shop):
    for browsing, transactions in (PAST[:2], NEW[:2]):
        ends = pd.to_datetime(shop[browsing]["event_time"])[199::200]
        minutes = ends.diff().dt.total_seconds() / 60
        assert 20 <= minutes.median() <= 30
        per_batch = np.bincount(np.searchsorted(ends, pd.to_datetime(shop[transactions]["created_at"])))
        assert all(5 <= tenth.mean() <= 10 for tenth in np.array_split(per_batch[:-1], 10))


def test_most_sessions_do_not_buy_and_a_batch_holds_fragments(shop):
    browsing = shop[NEW[0]]
    assert browsing["session_id"].nunique() > 2 * len(shop[NEW[1]])
    bought = browsing[browsing["session_id"].isin(shop[NEW[1]]["session_id"])]
    batches = (bought.index // 200).to_series(index=bought.index).groupby(bought["session_id"]).nunique()
    assert batches.mean() > 3
    times = pd.to_datetime(bought["event_time"]).groupby(bought["session_id"])
    hours = (times.max() - times.min()).dt.total_seconds() / 3600
    assert hours.quantile(0.1) < 0.25 and hours.quantile(0.97) > 24


def test_amounts_add_up_exactly(shop):
    sold = both(shop, 1)
    carts = sold["product_metadata"].map(ast.literal_eval)
    goods = carts.map(lambda cart: sum(line["item_price"] * line["quantity"] for line in cart))
    whole = sold[["promo_amount", "shipment_fee", "total_amount"]].astype(int)
    assert (goods - whole["promo_amount"] + whole["shipment_fee"]).tolist() == whole["total_amount"].tolist()
    assert carts.map(str).tolist() == sold["product_metadata"].tolist()
    assert carts.map(lambda cart: len({line["product_id"] for line in cart})).tolist() == carts.map(len).tolist()
    sizes = carts.map(len).value_counts(normalize=True)
    assert sizes[1] > 0.5 and sizes[sizes.index > 2].sum() > 0.05


def test_promo_fee_and_payment_follow_their_rules(shop):
    sold = both(shop, 1)
    assert ((sold["promo_code"] != "") == (sold["promo_amount"].astype(int) > 0)).all()
    assert ((sold["payment_status"] == "Fail") == (sold["clear_payment"] == "0")).all()
    assert set(sold["payment_status"]) == {"Success", "Fail"} and set(sold["clear_payment"]) == {"0", "1"}
    assert set(sold["shipment_fee"].astype(int)) == set(FEES)
    assert set(sold["payment_method"]) == set(METHODS)
    assert 0.7 < (sold["payment_status"] == "Success").mean() < 0.8


def test_ids_are_unique_and_all_references_resolve(shop):
    sold, browsing = both(shop, 1), both(shop, 0)
    for ids in (sold["transaction_id"], sold["session_id"], pd.Series(browsing["session_id"].unique())):
        assert ids.is_unique and ids.str.fullmatch(UUID).all()
    for name, key in (("customer.csv", "customer_id"), ("product.csv", "id"), ("category.csv", "category_id")):
        assert shop[name][key].is_unique
    bought = sold["product_metadata"].str.findall(r"'product_id': (\d+)").explode()
    assert set(bought) <= set(shop["product.csv"]["id"])
    assert set(shop["product.csv"]["category_id"]) == set(shop["category.csv"]["category_id"])
    customers = pd.concat(
        [sold["customer_id"], shop[NEW[0]]["customer_id"], shop["customer_session.csv"]["customer_id"]]
    )
    assert set(customers) <= set(shop["customer.csv"]["customer_id"])
    assert not set(shop[PAST[0]]["session_id"]) & set(shop[NEW[0]]["session_id"])


def test_sessions_belong_to_the_customer_who_buys(shop):
    of_past = shop["customer_session.csv"]
    assert sorted(of_past["session_id"]) == sorted(shop[PAST[0]]["session_id"].unique())
    of_new = shop[NEW[0]][["session_id", "customer_id"]].drop_duplicates()
    owners = pd.concat([of_past, of_new]).set_index("session_id")["customer_id"]
    sold = both(shop, 1)
    assert owners[sold["session_id"]].tolist() == sold["customer_id"].tolist()


def test_some_customers_are_new_some_come_often_and_all_joined_before_they_bought(shop):
    before, after = shop[PAST[1]]["customer_id"], shop[NEW[1]]["customer_id"]
    assert 0.05 < (~after.isin(before)).mean() < 0.5
    assert before.value_counts().mean() > 2 and before.value_counts().max() > 20
    joined = both(shop, 1).merge(shop["customer.csv"], on="customer_id")
    assert (joined["first_join_date"] <= joined["created_at"].str[:10]).all()


def test_names_hold_what_breaks_careless_readers(shop):
    products = shop["product.csv"]
    names = products["productDisplayName"]
    assert all(names.str.contains(mark).sum() > 10 for mark in ("'", '"', ","))
    assert names.duplicated().mean() > 0.1 and names.str.len().max() <= 88
    assert all(0 < (products[column] == "").sum() < 60 for column in ("season", "year", "usage"))


# Fraud


def test_every_kind_of_fraud_happens_in_both_periods_at_the_same_rate(shop, kinds):
    for _, transactions, truth in (PAST, NEW):
        labels = shop[truth].query("is_fraud == 'True'")["transaction_id"]
        found = labels.map(kinds).value_counts()
        assert set(found.index) == set(FRAUDS)
        assert found.min() >= 10
        assert len(labels) / len(shop[transactions]) == pytest.approx(0.03, abs=0.002)


def test_only_honest_transactions_of_the_past_lack_a_label(shop, kinds):
    unlabelled = set(shop[PAST[1]]["transaction_id"]) - set(shop[PAST[2]]["transaction_id"])
    assert 0 < len(unlabelled) < len(shop[PAST[1]]) / 100
    assert not {kinds[transaction_id] for transaction_id in unlabelled} & set(FRAUDS)
    assert shop[NEW[1]]["transaction_id"].tolist() == shop[NEW[2]]["transaction_id"].tolist()
    assert set(shop[PAST[2]]["is_fraud"]) == set(shop[NEW[2]]["is_fraud"]) == {"True", "False"}


def test_fraud_correlates_with_the_features_as_in_the_real_shop(past):
    with_fraud = past[list(PUBLISHED)].corrwith(past["is_fraud"].astype(int))
    assert 0.2 < with_fraud["l1_ratio"] < 0.33 and 0.05 < with_fraud["l1_count"] < 0.25
    assert -0.3 < with_fraud["l2_ratio"] < -0.1 and with_fraud["l2_count"] < -0.05 and with_fraud["l3_count"] < -0.05
    assert with_fraud[["age", "shipment_location_lat", "shipment_location_long"]].abs().max() < 0.05


def test_a_model_finds_new_frauds_and_no_single_feature_gives_them_away(shop, past):
    new = features(shop, *NEW)
    columns = [*PUBLISHED, "promo_amount", "shipment_fee", "total_amount", "card", "failed"]
    past, new = (
        period.assign(card=period["payment_method"].str.contains("Card"), failed=period["payment_status"] == "Fail")
        for period in (past, new)
    )
    model = HistGradientBoostingClassifier(max_iter=80, class_weight="balanced", random_state=0)
    score = model.fit(past[columns].astype(float), past["is_fraud"]).predict_proba(new[columns].astype(float))[:, 1]
    assert 0.93 < roc_auc_score(new["is_fraud"], score) < 0.985
    truth = new["is_fraud"]
    signed = [sign * new[column].astype(float) for column in columns for sign in (1, -1)]
    singles = [average_precision_score(truth, column) for column in signed]
    assert average_precision_score(truth, score) > 1.7 * max(singles)
