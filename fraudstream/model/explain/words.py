"""Reasons as readable text: "L1 share 62 %, usual 21 %"."""

from collections.abc import Callable

from fraudstream.model.explain.reasons import Reason


def _rupiah(amount: float) -> str:
    return f"Rp {amount:,.0f}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def _unit(unit: str) -> Callable[[float], str]:
    return lambda value: f"{_number(value)} {unit}"


def _percent(value: float) -> str:
    return f"{value:.0f} %"


def _degrees(value: float) -> str:
    return f"{value:.2f}°"


def _year(value: float) -> str:
    return f"{value:.0f}"


def _yes_or_no(value: float) -> str:
    return "yes" if value else "no"


# the stream's column -> its name for people, and how a number of it reads; a text reads as it is
NAMES: dict[str, tuple[str, Callable[[float], str]]] = {
    "l1_count": ("L1 events", _number),
    "l2_count": ("L2 events", _number),
    "l3_count": ("L3 events", _number),
    "l1_ratio": ("L1 share", _percent),
    "l2_ratio": ("L2 share", _percent),
    "time_of_day": ("time of day", _number),
    "session_minutes": ("session", _unit("min")),
    "gender": ("gender", _number),
    "age": ("age", _unit("years")),
    "first_join_year": ("joined in", _year),
    "num_purchases": ("earlier purchases", _number),
    "payment_method": ("payment method", _number),
    "payment_status": ("payment status", _number),
    "clear_payment": ("payment cleared", _yes_or_no),
    "promo_code": ("promo code", _number),
    "promo_amount": ("promo", _rupiah),
    "shipment_fee": ("shipment fee", _rupiah),
    "shipment_location_lat": ("latitude", _degrees),
    "shipment_location_long": ("longitude", _degrees),
    "total_amount": ("total", _rupiah),
}


def in_words(reason: Reason) -> str:
    """One reason as "name value, usual value", with units; without the second part where no usual value is known.

    Takes a reason read back from parquet too, whose numbers are texts.
    """
    name, shown = NAMES.get(reason.feature, (reason.feature.replace("_", " "), _number))
    words = f"{name} {_words(reason.value, shown)}"
    return words if reason.usual is None else f"{words}, usual {_words(reason.usual, shown)}"


def _words(value: str | float | None, shown: Callable[[float], str]) -> str:
    """``value`` as ``shown`` writes a number; a text that is none as it is."""
    if value is None or value != value:
        return "unknown"
    try:
        number = float(value)
    except ValueError:
        return str(value)
    return "unknown" if number != number else shown(number)
