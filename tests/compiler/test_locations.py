"""Places: the grid, the table of countries and provinces, and where a client is by its facts."""

from typing import Any

import pytest

from gtmdns.compiler.conditions import Conditions
from gtmdns.compiler.geodata import Facts
from gtmdns.compiler.locations import (
    COUNTRY_PLACES,
    SUBDIVISION_PLACES,
    numbered_place,
    on_grid,
    place_number,
    place_of,
)
from gtmdns.compiler.places import CONTINENT_OF
from tests.compiler.judge import Place, Region, apart

HANGZHOU, BEIJING = (30.27, 120.15), (39.9, 116.4)

# fmt: off
CENTRES = [  # somewhere that belongs into the middle of a country's population, and how far off
    ("US", (37.4, -92.4), 250), ("CN", (33.0, 113.5), 200), ("DE", (50.6, 9.7), 100), ("FR", (47.2, 2.6), 100),
    ("GB", (52.6, -1.5), 50), ("IN", (22.4, 80.0), 250), ("JP", (35.7, 137.0), 100), ("AU", (-33.0, 146.0), 250),
    ("SG", (1.35, 103.82), 40), ("RU", (56.5, 53.0), 250), ("ZA", (-28.0, 27.5), 150), ("NZ", (-39.7, 174.8), 100),
    ("CN-ZJ", HANGZHOU, 40), ("CN-BJ", BEIJING, 40), ("CN-GD", (23.13, 113.26), 40), ("CN-XJ", (43.8, 87.6), 40),
    ("CN-HL", (45.75, 126.65), 60), ("CN-YN", (25.04, 102.72), 40), ("CN-XZ", (29.65, 91.1), 40), ("CN-HI", (20.05, 110.34), 40),
]
# fmt: on


@pytest.mark.parametrize(("code", "middle", "km"), CENTRES, ids=[row[0] for row in CENTRES])
def test_table_of_places(code: str, middle: Place, km: float) -> None:
    assert apart((COUNTRY_PLACES | SUBDIVISION_PLACES)[code], middle) < km


def test_every_country_and_province_has_a_place_on_the_grid() -> None:
    assert COUNTRY_PLACES.keys() == CONTINENT_OF.keys()
    assert len(SUBDIVISION_PLACES) == 34
    for place in (*COUNTRY_PLACES.values(), *SUBDIVISION_PLACES.values()):
        assert on_grid(*place) == place
        assert numbered_place(place_number(place)) == place


def test_numbers_of_the_grid() -> None:
    places = [
        (row / 2 - 90, column / 2 - 180) for row in range(0, 361, 9) for column in range(0, 720, 7)
    ]
    places += [(90.0, 179.5), (-90.0, -180.0)]

    assert [numbered_place(place_number(place)) for place in places] == places
    assert {place_number(place) for place in places} <= set(range(1, 1 << 18))


# fmt: off
FOUND = [
    ("location first",           ((1.0, 2.0), ("CN-ZJ",), "CN"), ((1.0, 2.0), "location")),
    ("subdivision",              (None, ("CN-ZJ",), "CN"), ((30.5, 120.0), "subdivision CN-ZJ")),
    ("subdivision alone",        (None, ("CN-ZJ",), None), ((30.5, 120.0), "subdivision CN-ZJ")),
    ("subdivision not in table", (None, ("CN-99", "CN-BJ"), "CN"), ((40.0, 116.5), "subdivision CN-BJ")),
    ("another country's",        (None, ("CN-ZJ",), "DE"), ((51.0, 10.0), "country DE")),
    ("country",                  (None, ("US-CA",), "US"), ((39.0, -92.5), "country US")),
    ("country not in table",     (None, ("CN-ZJ",), "QX"), None),
    ("nothing",                  (None, (), None), None),
]
# fmt: on


@pytest.mark.parametrize(
    ("known", "place"), [row[1:] for row in FOUND], ids=[row[0] for row in FOUND]
)
def test_place_of_a_client(known: Any, place: Any) -> None:
    """The label in the tables says the same as the facts themselves."""
    location, subdivisions, country = known
    conditions = Conditions({"cn": Region(countries=("CN",))}, places=True)

    assert place_of(*known) == place
    label = conditions.label(Facts(None, country, subdivisions, location=location))
    assert conditions.place(label) == (place and place[0])
    assert conditions.holds("cn", label) == (country == "CN")
