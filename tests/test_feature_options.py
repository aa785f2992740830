"""Options of part A's features: each changes its own feature, the default changes none."""

import pytest
from shop import customer, event, features, transaction

from fraudstream.errors import SettingsError
from fraudstream.features import FeatureOptions
from fraudstream.settings import load_settings

NOON = "2024-01-02 12:00:00.000"


def feature(spark, name, options, **rows):
    return features(spark, **rows, options=options)["t1"][name]


@pytest.mark.parametrize(
    ("purchases", "counted"),
    [("before_checkout", 2), ("all_past", 3), ("successful_past", 2)],
    ids=lambda each: str(each),
)
def test_purchases_that_count(spark, purchases, counted):
    past = [
        transaction("p1", "s", "2024-01-01 00:00:00.000"),
        transaction("p2", "s", "2024-01-02 11:59:59.999", payment_status="Fail"),
        transaction("p3", "s", NOON),
    ]
    rows = {"transactions": [transaction("t1", "s1", NOON)], "events": [event("s1", "CO", NOON)], "past": past}
    assert feature(spark, "num_purchases", FeatureOptions(purchases=purchases), **rows) == counted


@pytest.mark.parametrize(
    ("midpoint", "first", "part"),
    [
        ("timestamps", "2024-01-01 23:00:00.000", "morning"),  # the middle is 06:30 of the next day
        ("hours", "2024-01-01 23:00:00.000", "evening"),  # (23 + 14) / 2 = 18.5
        ("timestamps", "2024-01-02 10:50:00.000", "afternoon"),  # the middle is 12:25
        ("hours", "2024-01-02 10:50:00.000", "afternoon"),  # (10 + 14) / 2 = 12
        ("hours", "2024-01-02 09:00:00.000", "morning"),  # (9 + 14) / 2 = 11.5: 11
    ],
)
def test_midpoint_of_timestamps_or_of_hours(spark, midpoint, first, part):
    checkout = "2024-01-02 14:00:00.000"
    rows = {
        "transactions": [transaction("t1", "s1", checkout)],
        "events": [event("s1", "HP", first), event("s1", "CO", checkout)],
    }
    assert feature(spark, "time_of_day", FeatureOptions(midpoint=midpoint), **rows) == part


@pytest.mark.parametrize(("age", "years"), [("days", 28), ("years", 29)])
def test_age_by_days_or_by_calendar_years(spark, age, years):
    rows = {
        "transactions": [transaction("t1", "s1", NOON)],
        "events": [event("s1", "CO", NOON)],
        "customers": [customer(1, birthdate="1995-12-31")],
    }
    assert feature(spark, "age", FeatureOptions(age=age), **rows) == years


def test_readings_come_from_the_settings(monkeypatch):
    chosen = {"FRAUDSTREAM_PURCHASES": "all_past", "FRAUDSTREAM_MIDPOINT": "hours", "FRAUDSTREAM_AGE": "years"}
    assert (
        FeatureOptions.of(load_settings())
        == FeatureOptions()
        == FeatureOptions("before_checkout", "timestamps", "days")
    )
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    assert FeatureOptions.of(load_settings()) == FeatureOptions("all_past", "hours", "years")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("FRAUDSTREAM_AGE", "months", "Input should be 'days' or 'years'"),
        ("FRAUDSTREAM_ALIASES", "purchases", "'purchases' is not of the form their_name=our_name"),
    ],
)
def test_another_word_is_refused(monkeypatch, name, value, said):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{name}='{value}': .*{said}"):
        load_settings()


def test_aliases_are_pairs_of_names():
    settings = load_settings(aliases=" purchases_made = num_purchases, tod=time_of_day,")
    assert settings.column_aliases == {"purchases_made": "num_purchases", "tod": "time_of_day"}
