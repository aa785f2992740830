"""Behaviour of honest and fraudulent buyers in one table; all parameters are chosen, not estimated.

No single column separates the two: bookmark buyers go straight to the checkout like bots, bulk buyers fill their carts
like resellers, bargain hunters are new and use promo codes, and some frauds of each kind browse like regular customers.
"""

from dataclasses import dataclass, replace

METHODS = ("Credit Card", "Gopay", "OVO", "Debit Card", "LinkAja")
FEES = (0, 5_000, 10_000, 15_000, 25_000, 50_000)
MARKET, BY_PRICE = "market", "price"


@dataclass(frozen=True)
class Profile:
    """One kind of buyer. Weights are whole numbers; permille counts in a thousand."""

    share: int  # weight among the honest, or among the frauds
    steps: tuple[float, float]  # browsing events (L2 and L3) before the checkout: median, sigma of a log-normal
    looks: tuple[float, float]  # a, b of the beta distribution of a session's inclination to L2
    extra_adds: tuple[int, ...]  # weights of 0, 1, 2, ... ATC beyond one for each product
    minutes: tuple[float, float]  # length of the session: median, sigma of a log-normal
    products: tuple[int, ...]  # weights of 1, 2, 3, ... products in the cart
    quantity: tuple[int, ...]  # weights of 1, 2, 3, ... pieces of a product
    prices: tuple[int, int]  # price range in permille of the price list; (0, 1000): by popularity
    promo_permille: int  # buys with a promo code
    promo_amount: tuple[int, int]  # rupiah
    fail_permille: int  # the payment fails
    methods: tuple[int, ...]  # weights of METHODS
    fees: tuple[int, ...]  # weights of FEES
    buyers: str  # "active": by activity, "anyone", "recent": joined lately
    away_permille: int  # ships to a place far from home
    careful_permille: int = 0  # frauds whose session looks like a regular one
    night: bool = False
    burst: tuple[int, int] = (1, 0)  # purchases in a burst, and minutes over which it spreads


REGULAR = Profile(
    share=875,
    steps=(8.0, 0.97),
    looks=(7.5, 16.0),
    extra_adds=(740, 130, 55, 25, 15, 9, 7, 6, 5, 4, 3, 2, 2, 2),
    minutes=(110, 1.8),
    products=(740, 170, 60, 20, 10),
    quantity=(880, 90, 20, 10),
    prices=(0, 1000),
    promo_permille=360,
    promo_amount=(2_500, 12_000),
    fail_permille=220,
    methods=(36, 20, 17, 15, 12),
    fees=(27, 12, 42, 5, 4, 10),
    buyers="active",
    away_permille=80,
)
HONEST: dict[str, Profile] = {
    "regular": REGULAR,
    # a returning customer who knows what to buy
    "bookmark": replace(
        REGULAR,
        share=45,
        steps=(1.6, 0.5),
        looks=(1.0, 7.0),
        extra_adds=(700, 180, 70, 30, 20),
        minutes=(4, 1.0),
        away_permille=30,
    ),
    # new here, with promo codes
    "bargain": replace(
        REGULAR,
        share=45,
        steps=(5.0, 0.9),
        promo_permille=900,
        promo_amount=(4_000, 25_000),
        buyers="recent",
    ),
    # a big cart for a wedding or an office
    "bulk": replace(
        REGULAR,
        share=35,
        extra_adds=(300, 200, 150, 100, 80, 60, 50, 40, 20),
        products=(20, 20, 20, 15, 10, 8, 7),
        quantity=(50, 25, 10, 8, 4, 3),
        prices=(300, 999),
        fees=(20, 8, 35, 10, 12, 15),
    ),
}
FRAUDS: dict[str, Profile] = {
    # a script that goes straight to the checkout
    "bot": replace(
        REGULAR,
        share=30,
        steps=(1.3, 0.4),
        looks=(0.6, 9.0),
        extra_adds=(0, 0, 5, 10, 15, 20, 15, 15, 10, 5, 5),
        minutes=(1, 0.8),
        quantity=(60, 25, 10, 5),
        prices=(400, 950),
        promo_permille=200,
        fail_permille=150,
        methods=(50, 15, 12, 15, 8),
        buyers="anyone",
        careful_permille=70,
        burst=(5, 90),
    ),
    # somebody else's account: expensive goods, sent far away, at night
    "takeover": replace(
        REGULAR,
        share=22,
        steps=(2.3, 0.5),
        looks=(1.0, 7.0),
        extra_adds=(5, 15, 25, 25, 15, 10, 5),
        minutes=(6, 0.9),
        products=(55, 30, 15),
        quantity=(45, 30, 15, 10),
        prices=(850, 999),
        promo_permille=60,
        fail_permille=260,
        methods=(62, 5, 4, 26, 3),
        fees=(5, 5, 30, 10, 20, 30),
        away_permille=950,
        careful_permille=90,
        night=True,
        burst=(4, 200),
    ),
    # stolen cards tested on cheap items
    "card_testing": replace(
        REGULAR,
        share=20,
        steps=(1.5, 0.5),
        looks=(0.8, 8.0),
        extra_adds=(50, 30, 15, 5),
        minutes=(2, 0.8),
        products=(1,),
        quantity=(1,),
        prices=(5, 150),
        promo_permille=30,
        fail_permille=800,
        methods=(62, 2, 2, 32, 2),
        fees=(75, 20, 5, 0, 0, 0),
        buyers="anyone",
        careful_permille=70,
        burst=(6, 25),
    ),
    # accounts opened to use a promo code
    "promo_abuse": replace(
        REGULAR,
        share=16,
        steps=(2.4, 0.6),
        looks=(1.0, 7.0),
        extra_adds=(25, 35, 25, 15),
        minutes=(5, 0.9),
        products=(80, 20),
        quantity=(90, 10),
        promo_permille=1000,
        promo_amount=(15_000, 55_000),
        fail_permille=80,
        methods=(6, 32, 32, 6, 24),
        fees=(60, 25, 15, 0, 0, 0),
        buyers="recent",
        careful_permille=90,
        burst=(5, 180),
    ),
    # buys up scarce products
    "reseller": replace(
        REGULAR,
        share=12,
        steps=(3.0, 0.55),
        looks=(1.2, 6.0),
        extra_adds=(0, 0, 5, 10, 15, 20, 15, 15, 10, 10, 5),
        minutes=(15, 1.0),
        products=(15, 20, 25, 20, 10, 10),
        quantity=(5, 15, 20, 15, 15, 15, 15),
        prices=(350, 900),
        promo_permille=450,
        fail_permille=100,
        fees=(10, 10, 30, 15, 20, 15),
        away_permille=150,
        careful_permille=70,
        burst=(4, 1_500),
    ),
}
