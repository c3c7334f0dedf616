"""Spellings of places."""

import pytest

from gtmdns.compiler.places import CONTINENT_OF, subdivision_code

# fmt: off
SPELLINGS = [
    ("CN-ZJ", "CN-ZJ"), ("cn-zj", "CN-ZJ"), ("CN-33", "CN-ZJ"), ("CN-330000", "CN-ZJ"),
    ("CN-Zhejiang", "CN-ZJ"), ("CN-浙江", "CN-ZJ"), ("CN-浙江省", "CN-ZJ"), ("CN-Zhejiang Sheng", "CN-ZJ"),
    ("CN-Inner Mongolia", "CN-NM"), ("CN-Nei Mongol Zizhiqu", "CN-NM"), ("CN-内蒙古自治区", "CN-NM"),
    ("CN-Guangxi Zhuang Autonomous Region", "CN-GX"), ("CN-广西壮族自治区", "CN-GX"),
    ("CN-新疆维吾尔自治区", "CN-XJ"), ("CN-宁夏回族自治区", "CN-NX"), ("CN-Xizang", "CN-XZ"),
    ("CN-Shaanxi", "CN-SN"), ("CN-Shanxi", "CN-SX"), ("CN-上海市", "CN-SH"), ("CN-香港特别行政区", "CN-HK"),
    ("US-CA", "US-CA"), ("US-California", "US-CALIFORNIA"), ("CN-99", "CN-99"), ("ZJ", None), ("CN-", None),
]
# fmt: on


@pytest.mark.parametrize(("text", "code"), SPELLINGS)
def test_subdivision_spellings(text: str, code: str | None) -> None:
    assert subdivision_code(text) == code


def test_provinces_by_letters_and_numbers_are_all_there() -> None:
    """34 provinces, each reached by letters, by number and by at least two names."""
    numbers = [*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55)]
    numbers += [*range(61, 66), 71, 81, 82]
    codes = {subdivision_code(f"CN-{number}") for number in numbers}

    assert len(numbers) == len(codes) == 34
    assert all(code and subdivision_code(code) == code and code[3:].isalpha() for code in codes)


def test_every_country_has_one_continent() -> None:
    assert len(CONTINENT_OF) == 250  # the 249 of ISO 3166-1, and XK
    assert {CONTINENT_OF[code] for code in ("CN", "DE", "US", "BR", "NG", "NZ", "AQ")} == {
        "AS", "EU", "NA", "SA", "AF", "OC", "AN",
    }  # fmt: skip
