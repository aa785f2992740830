"""The customers: names, ages, homes, and how much each of them buys."""

import re

import numpy as np
import pandas as pd
from faker import Faker

from fraudstream.data.generate import draw, places
from fraudstream.data.generate.clock import DAY_MS, NEW_START_MS
from fraudstream.schemas import CUSTOMER

NAME_POOL = 2_000  # draws from Faker; customers draw from the pool
IDS_PER_CUSTOMER = 10
MEAN_AGE_DAYS, SD_AGE_DAYS = 10_340, 2_720
AGES_DAYS = (12 * 365, 70 * 365)
JOIN_AGE_DAYS = 10 * 365  # minimum age at joining
JOIN_YEARS = ((2016, 13), (2017, 25), (2018, 26), (2019, 18), (2020, 10), (2021, 5), (2022, 3))
WOMEN_PERMILLE = 640
RECENT_PERMILLE = 60  # joined in the weeks before the past begins, or during it
FRESH_PERMILLE = 25  # joined in the days before the new stream: they have no past purchase
RECENT_DAYS = 60
FRESH_DAYS = 5
ACTIVITY_SIGMA = 1.1
MAIL = ("example.com", "example.net", "example.org")

NEW_START_DAY = NEW_START_MS // DAY_MS


def customers(rng: np.random.Generator, seed: int, size: int, past_start_ms: int) -> pd.DataFrame:
    """customer.csv's columns as text or int, and five of the shop's own, all int64 or bool.

    home_lat, home_long (units of places.py), activity (weight: how often they buy), recent (joined lately: bool),
    fresh (joined for the new stream, buys in it only: bool).
    """
    woman = draw.chance(rng, WOMEN_PERMILLE, size)
    first, last = _names(rng, seed, woman)
    group = rng.integers(0, draw.THOUSAND, size)
    fresh = group < FRESH_PERMILLE
    recent = ~fresh & (group < FRESH_PERMILLE + RECENT_PERMILLE)
    born = _birth_days(rng, size)
    joined = _join_days(rng, born, recent, fresh, past_start_ms // DAY_MS)
    ids = np.sort(rng.permutation(np.arange(1, IDS_PER_CUSTOMER * size))[:size])
    users = [f"{_plain(name)}{number}" for name, number in zip(first, ids, strict=True)]
    homes = places.points(rng, size)
    return pd.DataFrame(
        {
            "customer_id": ids,
            "first_name": first,
            "last_name": last,
            "username": users,
            "email": [f"{user}@{MAIL[k]}" for user, k in zip(users, rng.integers(0, len(MAIL), size), strict=True)],
            "gender": np.where(woman, "F", "M"),
            "birthdate": _dates(born),
            "first_join_date": _dates(joined),
        },
        columns=list(CUSTOMER),
    ).assign(
        home_lat=homes[:, 0],
        home_long=homes[:, 1],
        activity=draw.long_tailed(rng, 1000, ACTIVITY_SIGMA, size),
        recent=recent,
        fresh=fresh,
    )


def _names(rng: np.random.Generator, seed: int, woman: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last names from a pool of Indonesian names."""
    faker = Faker("id_ID", use_weighting=False)
    faker.seed_instance(seed)
    women, men, last = (
        np.array([make() for _ in range(NAME_POOL)], dtype=object)
        for make in (faker.first_name_female, faker.first_name_male, faker.last_name)
    )
    choice = rng.integers(0, NAME_POOL, (2, len(woman)))
    return np.where(woman, women[choice[0]], men[choice[0]]), last[choice[1]]


def _plain(name: str) -> str:
    return re.sub("[^a-z]", "", name.lower())


def _birth_days(rng: np.random.Generator, size: int) -> np.ndarray:
    age = np.clip(MEAN_AGE_DAYS + draw.bell(rng, SD_AGE_DAYS, size), *AGES_DAYS)
    return NEW_START_DAY - age


def _join_days(
    rng: np.random.Generator, born: np.ndarray, recent: np.ndarray, fresh: np.ndarray, past_start_day: int
) -> np.ndarray:
    """Days since 1970, before the first purchase that each customer can make."""
    size = len(born)
    years = draw.one_of(rng, JOIN_YEARS, size).astype(np.int64)
    new_year = (years - 1970).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)
    joined = np.maximum(new_year + rng.integers(0, 365, size), born + JOIN_AGE_DAYS)
    joined = np.where(recent, past_start_day - rng.integers(1, RECENT_DAYS, size), joined)
    joined = np.minimum(joined, past_start_day - 1)
    return np.where(fresh, NEW_START_DAY - rng.integers(1, FRESH_DAYS + 1, size), joined)


def _dates(days: np.ndarray) -> np.ndarray:
    return np.datetime_as_string(days.astype("datetime64[D]")).astype(object)
