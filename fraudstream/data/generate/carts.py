"""The transaction of each purchase: cart, payment and shipment."""

import numpy as np
import pandas as pd

from fraudstream.data.generate import draw, places
from fraudstream.data.generate.profiles import FEES, FRAUDS, HONEST, METHODS, Profile

PROMO_CODES = ("WEEKENDSERU", "WEEKENDMANTAP", "LIBURDONG", "BUYMORE", "AZ2022", "SC2022", "XX2022", "STARTUP")
SALE_PERMILLE = 150  # products sold with a 10 % discount
PROFILES = {**HONEST, **FRAUDS}


def transactions(
    rng: np.random.Generator, purchases: pd.DataFrame, customers: pd.DataFrame, products: pd.DataFrame
) -> pd.DataFrame:
    """transactions.csv's columns, all but created_at, transaction_id and session_id: text or int, one row per purchase.

    total_amount = sum(item_price * quantity) - promo_amount + shipment_fee, in whole rupiah.
    """
    catalogue = _Catalogue(products)
    parts = []
    for kind, rows in purchases.groupby("kind", sort=False):
        parts.append(_of_kind(rng, PROFILES[kind], rows, customers, catalogue))
    return pd.concat(parts).loc[purchases.index]


class _Catalogue:
    """Products by popularity and by price."""

    def __init__(self, products: pd.DataFrame) -> None:
        self.ids = products["id"].to_numpy()
        self.prices = products["price"].to_numpy()
        self.popularity = products["popularity"].to_numpy()
        self.by_price = np.argsort(self.prices, kind="stable")

    def choose(self, rng: np.random.Generator, prices: tuple[int, int], size: int) -> np.ndarray:
        """Positions of products in a price range (permille of the price list); over the whole list, by popularity."""
        if prices == (0, draw.THOUSAND):
            return draw.pick(rng, self.popularity, size)
        low, high = (len(self.ids) * permille // draw.THOUSAND for permille in prices)
        return self.by_price[rng.integers(low, max(high, low + 1), size)]


def _of_kind(
    rng: np.random.Generator, profile: Profile, rows: pd.DataFrame, customers: pd.DataFrame, catalogue: _Catalogue
) -> pd.DataFrame:
    size = len(rows)
    metadata, goods = _carts(rng, profile, rows["products"].to_numpy(), catalogue)
    wanted = rng.integers(profile.promo_amount[0], profile.promo_amount[1] + 1, size)
    promo = np.where(rows["has_promo"], np.minimum(wanted, goods // 2), 0)
    codes = np.array(PROMO_CODES, dtype=object)[rng.integers(0, len(PROMO_CODES), size)]
    fee = np.array(FEES)[draw.pick(rng, profile.fees, size)]
    failed = draw.chance(rng, profile.fail_permille, size)
    latitude, longitude = _destinations(rng, profile, customers.iloc[rows["customer"]])
    return pd.DataFrame(
        {
            "customer_id": customers["customer_id"].to_numpy()[rows["customer"]],
            "product_metadata": metadata,
            "payment_method": np.array(METHODS, dtype=object)[draw.pick(rng, profile.methods, size)],
            "payment_status": np.where(failed, "Fail", "Success"),
            "promo_amount": promo,
            "promo_code": np.where(promo > 0, codes, ""),
            "shipment_fee": fee,
            "shipment_location_lat": latitude,
            "shipment_location_long": longitude,
            "total_amount": goods - promo + fee,
            "clear_payment": np.where(failed, 0, 1),
        },
        index=rows.index,
    )


def _carts(
    rng: np.random.Generator, profile: Profile, products: np.ndarray, catalogue: _Catalogue
) -> tuple[list[str], np.ndarray]:
    """product_metadata in the shop's notation, and the value of the goods (int64, rupiah)."""
    items = int(products.sum())
    cart = np.repeat(np.arange(len(products)), products)
    position = catalogue.choose(rng, profile.prices, items)
    while (again := pd.DataFrame({"cart": cart, "product": position}).duplicated().to_numpy()).any():
        position[again] = catalogue.choose(rng, profile.prices, int(again.sum()))
    quantity = 1 + draw.pick(rng, profile.quantity, items)
    price = catalogue.prices[position]
    price = np.where(draw.chance(rng, SALE_PERMILLE, items), price * 9 // 10, price)
    ends = np.cumsum(products)
    goods = np.add.reduceat(price * quantity, ends - products)
    texts = [
        f"{{'product_id': {product}, 'quantity': {pieces}, 'item_price': {each}}}"
        for product, pieces, each in zip(catalogue.ids[position], quantity, price, strict=True)
    ]
    carts = [f"[{', '.join(texts[end - count : end])}]" for end, count in zip(ends, products, strict=True)]
    return carts, goods


def _destinations(rng: np.random.Generator, profile: Profile, buyers: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Latitude and longitude as text: near the buyer's home, or elsewhere in the country."""
    homes = places.around(rng, buyers[["home_lat", "home_long"]].to_numpy())
    away = draw.chance(rng, profile.away_permille, len(buyers))
    there = np.where(away[:, None], places.points(rng, len(buyers)), homes)
    return places.as_text(there[:, 0], places.LATITUDE_UNIT), places.as_text(there[:, 1], places.LONGITUDE_UNIT)
