"""Other names for the stream's columns. Case, spaces, hyphens and underscores make no difference."""

import re
from collections.abc import Iterable

# the stream's column -> its other names; FRAUDSTREAM_ALIASES adds to them
ALIASES = {
    "time_of_day": "part_of_day day_part daytime time_day tod period_of_day day_period time_period",
    "gender": "customer_gender cust_gender sex",
    "age": "customer_age cust_age age_years age_in_years",
    "first_join_year": "join_year year_joined joined_year year_of_join year_join first_year first_join year_first_join "
    "customer_first_join_year first_joined_year",
    "num_purchases": "num_purchase purchases purchase number_of_purchases number_of_purchase no_of_purchases "
    "no_purchases n_purchases num_of_purchases num_of_purchase nb_purchases purchase_count purchases_count "
    "count_purchases count_purchase purchase_num total_purchases total_purchase past_purchases previous_purchases",
    "payment_method": "payment_type method_of_payment",
    "payment_status": "status_of_payment",
    "clear_payment": "payment_clear payment_cleared cleared_payment is_clear_payment",
    "promo_amount": "promotion_amount promo_amt",
    "promo_code": "promotion_code",
    "shipment_fee": "shipping_fee shipment_fees ship_fee",
    "shipment_location_lat": "shipment_lat shipment_latitude shipment_location_latitude location_lat latitude lat "
    "shipping_lat geo_lat geolocation_lat",
    "shipment_location_long": "shipment_long shipment_longitude shipment_location_longitude shipment_lon "
    "shipment_location_lon location_long longitude long lon lng shipping_long geo_long geo_lon geolocation_long",
    "total_amount": "total_amt amount_total transaction_amount",
}
for _n in (1, 2, 3):
    ALIASES[f"l{_n}_count"] = (
        f"level{_n}_count l{_n} level{_n} l{_n}_counts count_l{_n} count_level{_n} num_l{_n} num_level{_n} l{_n}_num "
        f"l{_n}_cnt l{_n}_events l{_n}_event_count level{_n}_event_count l{_n}_actions l{_n}_total total_l{_n} "
        f"number_of_l{_n} level{_n}_events"
    )
for _n in (1, 2):
    ALIASES[f"l{_n}_ratio"] = (
        f"level{_n}_ratio ratio_l{_n} ratio_level{_n} l{_n}_percentage l{_n}_percent l{_n}_pct l{_n}_perc l{_n}_share "
        f"level{_n}_percentage level{_n}_percent level{_n}_pct percentage_l{_n} percent_l{_n} l{_n}_rate"
    )


def normal(name: str) -> str:
    """The name in lower case, with letters and digits only: people spell the rest differently."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def spellings(columns: Iterable[str]) -> dict[str, str]:
    """Normal name -> the column (of ``columns``) that it means."""
    own = list(columns)
    known = {normal(alias): column for column in own for alias in ALIASES.get(column, "").split()}
    return known | {normal(column): column for column in own}
