"""The customers' homes: points around real Indonesian cities, in whole fractions of a degree."""

import numpy as np

from fraudstream.data.generate import draw

# units of a degree: 13 and 12 decimals give the 14 or 15 significant digits of the shop's files
LATITUDE_UNIT = 10**13
LONGITUDE_UNIT = 10**12
LATITUDES = (-10_996, 5_500)  # thousandths of a degree
LONGITUDES = (95_030, 141_000)
CITY_SD = 260  # thousandths of a degree: about 29 km
HOME_SD = 8

# city, latitude and longitude in thousandths of a degree, weight
CITIES = (
    ("Jakarta", -6_209, 106_846, 175),
    ("Bandung", -6_917, 107_619, 80),
    ("Semarang", -6_967, 110_417, 70),
    ("Yogyakarta", -7_796, 110_370, 75),
    ("Surakarta", -7_576, 110_824, 55),
    ("Surabaya", -7_257, 112_752, 95),
    ("Malang", -7_967, 112_633, 65),
    ("Cirebon", -6_732, 108_552, 40),
    ("Denpasar", -8_670, 115_213, 25),
    ("Mataram", -8_583, 116_117, 20),
    ("Ende", -8_850, 121_662, 22),
    ("Kupang", -10_177, 123_607, 16),
    ("Bandar Lampung", -5_450, 105_267, 35),
    ("Palembang", -2_976, 104_775, 40),
    ("Jambi", -1_610, 103_613, 18),
    ("Padang", -947, 100_417, 20),
    ("Pekanbaru", 507, 101_448, 22),
    ("Medan", 3_595, 98_672, 34),
    ("Banda Aceh", 5_548, 95_324, 7),
    ("Pontianak", -26, 109_342, 22),
    ("Palangka Raya", -2_210, 113_920, 20),
    ("Banjarmasin", -3_319, 114_592, 25),
    ("Samarinda", -502, 117_154, 22),
    ("Makassar", -5_148, 119_432, 38),
    ("Palu", -900, 119_878, 14),
    ("Kendari", -3_973, 122_514, 10),
    ("Manado", 1_475, 124_842, 12),
    ("Ambon", -3_695, 128_181, 10),
    ("Sorong", -876, 131_256, 4),
    ("Jayapura", -2_533, 140_717, 7),
)


def points(rng: np.random.Generator, size: int) -> np.ndarray:
    """Places throughout the country: int64, one row per place, latitude and longitude in their units."""
    centres = np.array([city[1:3] for city in CITIES], dtype=np.int64)
    towns = centres[draw.pick(rng, [city[3] for city in CITIES], size)]
    return around(rng, towns * _THOUSANDTHS, CITY_SD)


def around(rng: np.random.Generator, centres: np.ndarray, sd: int = HOME_SD) -> np.ndarray:
    """Places near others, sd in thousandths of a degree, never outside the country."""
    size = len(centres)
    moved = np.stack([draw.bell(rng, sd * int(unit), size) for unit in _THOUSANDTHS], axis=1)
    return np.clip(centres + moved, _LOWEST, _HIGHEST)


def as_text(values: np.ndarray, unit: int) -> list[str]:
    """Degrees without trailing zeros, ``-8.0439866005041``."""
    decimals = len(str(unit)) - 1
    texts = []
    for value in values.tolist():
        whole, fraction = divmod(abs(value), unit)
        texts.append(f"{'-' if value < 0 else ''}{whole}.{fraction:0{decimals}d}".rstrip("0").rstrip("."))
    return texts


_THOUSANDTHS = np.array([LATITUDE_UNIT // 1000, LONGITUDE_UNIT // 1000], dtype=np.int64)
_LOWEST, _HIGHEST = np.array([LATITUDES, LONGITUDES], dtype=np.int64).T * _THOUSANDTHS
