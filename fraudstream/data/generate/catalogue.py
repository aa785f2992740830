"""The shop's catalogue: 170 categories, and products with a long tail of popularity."""

import numpy as np
import pandas as pd

from fraudstream.data.generate import draw, words
from fraudstream.schemas import CATEGORY, PRODUCT

IDS_PER_PRODUCT = 9  # ids have gaps, left by products that are no longer sold
MEDIAN_PRICE = 170_000  # rupiah
PRICE_SIGMA = 0.75
PRICES = (9_000, 2_400_000)
LEVEL_PRICES = {"Personal Care": 55, "Free Items": 20, "Footwear": 150, "Home": 80}  # per cent of the median


def categories() -> pd.DataFrame:
    """category.csv: category_id (int), cat_level1, cat_level2, cat_level3 (text)."""
    levels = [
        (level1, level2, level3)
        for level1, parts in words.CATEGORIES.items()
        for level2, articles in parts.items()
        for level3 in articles
    ]
    rows = [(number, *level) for number, level in enumerate(levels, start=1)]
    return pd.DataFrame(rows, columns=list(CATEGORY))


def products(rng: np.random.Generator, category: pd.DataFrame, size: int) -> pd.DataFrame:
    """product.csv's columns as text or int, and two of its own: price (rupiah), popularity (weight), both int64.

    Every category has at least one product; some have many more than others.
    """
    ids = np.sort(rng.permutation(np.arange(1, IDS_PER_PRODUCT * size))[:size])
    articles = category.iloc[_kinds(rng, len(category), size)].reset_index(drop=True)
    gender = draw.one_of(rng, words.GENDERS, size)
    gender = np.where(articles["cat_level2"].isin(words.WOMENS), "Women", gender)
    colour = draw.one_of(rng, words.COLOURS, size)
    frame = pd.DataFrame(
        {
            "id": ids,
            "gender": gender,
            "baseColour": colour,
            "season": _sometimes_empty(rng, draw.one_of(rng, words.SEASONS, size)),
            "year": _sometimes_empty(rng, draw.one_of(rng, words.YEARS, size)),
            "usage": _sometimes_empty(rng, draw.one_of(rng, words.USAGES, size)),
            "productDisplayName": _names(rng, gender, colour, articles["cat_level3"]),
            "category_id": articles["category_id"],
        },
        columns=list(PRODUCT),
    )
    frame = _with_relisted(rng, frame, keep=len(category))
    return frame.assign(
        price=_prices(rng, articles["cat_level1"].to_numpy()),
        popularity=10**9 // (rng.permutation(size) + 12),
    )


def _kinds(rng: np.random.Generator, categories_: int, size: int) -> np.ndarray:
    """The category's position for each product: one of every category first, then more of the large ones."""
    crowded = 1000 // (1 + rng.permutation(categories_) // 4)
    return np.concatenate([rng.permutation(categories_), draw.pick(rng, crowded, size - categories_)])


def _with_relisted(rng: np.random.Generator, products_: pd.DataFrame, keep: int) -> pd.DataFrame:
    """Gives some products the name and attributes of another: names are not unique."""
    relisted = draw.chance(rng, words.RELISTED_PERMILLE, len(products_)) & (np.arange(len(products_)) >= keep)
    models = rng.integers(0, len(products_), len(products_))[relisted]
    same = ["gender", "baseColour", "productDisplayName", "category_id"]
    products_.loc[relisted, same] = products_[same].to_numpy()[models]
    return products_


def _sometimes_empty(rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
    return np.where(draw.chance(rng, words.EMPTY_PERMILLE, len(values)), "", values)


def _names(rng: np.random.Generator, gender: np.ndarray, colour: np.ndarray, article: pd.Series) -> list[str]:
    size = len(gender)
    brands = np.array(words.BRANDS, dtype=object)[rng.integers(0, len(words.BRANDS), size)]
    patterns = np.array(words.PATTERNS, dtype=object)[rng.integers(0, len(words.PATTERNS), size)]
    odd_patterns = np.array(words.ODD_PATTERNS, dtype=object)[rng.integers(0, len(words.ODD_PATTERNS), size)]
    patterns = np.where(draw.chance(rng, words.ODD_PERMILLE, size), odd_patterns, patterns)
    return [" ".join(parts) for parts in zip(brands, patterns, gender, colour, article, strict=True)]


def _prices(rng: np.random.Generator, level1: np.ndarray) -> np.ndarray:
    percent = np.array([LEVEL_PRICES.get(level, 100) for level in level1], dtype=np.int64)
    return np.clip(draw.long_tailed(rng, MEDIAN_PRICE, PRICE_SIGMA, len(level1)) * percent // 100, *PRICES)
