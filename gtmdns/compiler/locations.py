"""Where places are: coordinates on a grid of half a degree, and a table of countries and provinces.

A *place* is (latitude, longitude) in degrees, on the grid: 361 latitudes by 720 longitudes, 180
degrees east written as 180 west. A step of it is 56 km at most, less than what databases of
addresses are good for, and the places of a city file stay few enough to compare with every pool.
"""

from math import isfinite

Place = tuple[float, float]

_ROWS, _COLUMNS = 361, 720
GRID_BITS = 18  # of a number of a place: there are fewer than 2**18

# Country, latitude, longitude: the mean of its cities by population (see geoip/README.md), for
# uninhabited ones the main station or the middle.
_COUNTRIES = """
    AD 42.5 1.5, AE 25 55, AF 34.5 68, AG 17 -62, AI 18 -63, AL 41 20, AM 40 44.5, AO -10 14.5
    AQ -78 166.5, AR -33 -61.5, AS -14.5 -170.5, AT 48 15, AU -33.5 145, AW 12.5 -70, AX 60 20
    AZ 40.5 49, BA 44 18, BB 13 -59.5, BD 23.5 90.5, BE 51 4.5, BF 12 -2, BG 42.5 25, BH 26 50.5
    BI -3.5 29.5, BJ 7.5 2.5, BL 18 -63, BM 32.5 -65, BN 5 115, BO -17.5 -65.5, BQ 13 -67.5
    BR -17.5 -46, BS 25.5 -77.5, BT 27.5 90, BV -54.5 3.5, BW -23.5 26, BY 53.5 28, BZ 17.5 -88.5
    CA 48.5 -88.5, CC -12 97, CD -4.5 20, CF 5 18.5, CG -4 14, CH 47 8, CI 6.5 -5, CK -21 -160
    CL -34 -71, CM 5.5 11, CN 32 114.5, CO 6 -75, CR 10 -84, CU 22 -80.5, CV 15.5 -24, CW 12 -69
    CX -10.5 105.5, CY 35 33.5, CZ 50 15.5, DE 51 10, DJ 11.5 43, DK 56 11, DM 15.5 -61.5
    DO 19 -70, DZ 35.5 3.5, EC -1.5 -79.5, EE 59 25, EG 30 31, EH 26 -14, ER 15 39, ES 40 -3
    ET 9.5 39, FI 61.5 25, FJ -18 178, FK -51.5 -58, FM 7 154.5, FO 62 -7, FR 47 3, GA 0 10.5
    GB 52.5 -1.5, GD 12 -61.5, GE 42 44, GF 5 -53, GG 49.5 -2.5, GH 6.5 -1, GI 36 -5.5
    GL 65.5 -50.5, GM 13.5 -16.5, GN 10 -13, GP 16 -61.5, GQ 2.5 9.5, GR 38.5 23.5, GS -54.5 -36.5
    GT 15 -90.5, GU 13.5 145, GW 12 -15.5, GY 6.5 -58, HK 22.5 114, HM -53 73.5, HN 15 -87.5
    HR 45 16.5, HT 19 -72.5, HU 47.5 19.5, ID -5 109.5, IE 53 -7, IL 32 35, IM 54 -4.5, IN 21 78.5
    IO -7.5 72.5, IQ 33.5 45, IR 34.5 51.5, IS 64.5 -21.5, IT 43 12, JE 49 -2, JM 18 -77, JO 32 36
    JP 35.5 137, KE -1 37, KG 42 74, KH 12 104.5, KI 1.5 175, KM -12 44, KN 17.5 -62.5
    KP 39.5 126.5, KR 36.5 127.5, KW 29 48, KY 19.5 -81.5, KZ 47.5 70, LA 18 103.5, LB 34 35.5
    LC 14 -61, LI 47 9.5, LK 7.5 80.5, LR 6.5 -10.5, LS -29.5 27.5, LT 55 24, LU 49.5 6, LV 57 24
    LY 32 15.5, MA 33.5 -6.5, MC 43.5 7.5, MD 47 29, ME 42.5 19, MF 18 -63, MG -19 47.5
    MH 7.5 170.5, MK 42 21.5, ML 13 -7, MM 18.5 96, MN 48 105.5, MO 22 113.5, MP 15 145.5
    MQ 14.5 -61, MR 18 -14, MS 17 -62, MT 36 14.5, MU -20 57.5, MV 3.5 73.5, MW -14.5 34.5
    MX 21.5 -100.5, MY 3.5 103.5, MZ -20 35.5, NA -21.5 17, NC -22 166.5, NE 14 5, NF -29 168
    NG 8 6, NI 12.5 -86, NL 52 5.5, NO 61 9.5, NP 27.5 84.5, NR -0.5 167, NU -19 -170
    NZ -39.5 174.5, OM 23.5 57.5, PA 9 -80, PE -11 -76.5, PF -17.5 -149.5, PG -7.5 147
    PH 12.5 122.5, PK 30.5 71.5, PL 51.5 19, PM 47 -56, PN -25 -130, PR 18.5 -66.5, PS 32 35
    PT 39.5 -9.5, PW 7.5 134.5, PY -25.5 -57, QA 25.5 51.5, RE -21 55.5, RO 45.5 25.5
    RS 44.5 20.5, RU 57 51.5, RW -2 30, SA 24 43, SB -9.5 160, SC -4.5 55.5, SD 14.5 31.5
    SE 59 15.5, SG 1.5 104, SH -16 -5.5, SI 46 15, SJ 78 15.5, SK 48.5 18.5, SL 8.5 -12.5
    SM 44 12.5, SN 14.5 -16.5, SO 5 45, SR 6 -55, SS 6.5 30, ST 0.5 6.5, SV 13.5 -89, SX 18 -63
    SY 35 37, SZ -26.5 31.5, TC 22 -72, TD 11.5 16.5, TF -49.5 70, TG 7 1, TH 13.5 100.5
    TJ 39 69.5, TK -9 -172, TL -8.5 125.5, TM 38.5 59.5, TN 36 10, TO -21 -175, TR 39.5 32.5
    TT 10.5 -61.5, TV -8.5 179, TW 24.5 121, TZ -6 36, UA 49 32.5, UG 0.5 32, UM 28 -177.5
    US 39 -92.5, UY -34 -56.5, UZ 40.5 68.5, VA 42 12.5, VC 13 -61, VE 10 -68, VG 18.5 -64.5
    VI 18 -65, VN 15 106.5, VU -17 168, WF -13.5 -177, WS -14 -172, XK 42.5 21, YE 14.5 44.5
    YT -13 45, ZA -28.5 27, ZM -14 28.5, ZW -18.5 30.5
"""

# Chinese provinces, latitude, longitude: their capitals.
_PROVINCES = """
    AH 32 117.5, BJ 40 116.5, CQ 29.5 106.5, FJ 26 119.5, GD 23 113, GS 36 104
    GX 23 108.5, GZ 26.5 106.5, HA 35 113.5, HB 30.5 114.5, HE 38 114.5, HI 20 110.5
    HK 22.5 114, HL 46 126.5, HN 28 113, JL 44 125.5, JS 32 119, JX 28.5 116
    LN 42 123.5, MO 22 113.5, NM 41 111.5, NX 38.5 106.5, QH 36.5 102, SC 30.5 104
    SD 36.5 117, SH 31 121.5, SN 34.5 109, SX 38 112.5, TJ 39 117, TW 25 121.5
    XJ 44 87.5, XZ 29.5 91, YN 25 102.5, ZJ 30.5 120
"""


def _table(text: str) -> dict[str, Place]:
    words = text.replace(",", " ").split()
    return {
        code: (float(latitude), float(longitude))
        for code, latitude, longitude in zip(words[::3], words[1::3], words[2::3], strict=True)
    }


COUNTRY_PLACES = _table(_COUNTRIES)  # "CN": ...
SUBDIVISION_PLACES = {f"CN-{code}": place for code, place in _table(_PROVINCES).items()}


def on_grid(latitude: float, longitude: float) -> Place | None:
    """Return the nearest place of the grid, None where these are no coordinates.

    Exactly 0, 0 is none either: it is open sea, and what files write where they know nothing.
    """
    if not (isfinite(latitude) and isfinite(longitude)):
        return None
    if abs(latitude) > 90 or abs(longitude) > 180 or latitude == longitude == 0:
        return None
    column = (round(longitude * 2) + 360) % _COLUMNS
    return round(latitude * 2) / 2, (column - 360) / 2


def place_number(place: Place) -> int:
    """Return the number of a place of the grid, from 1."""
    latitude, longitude = place
    return round((latitude + 90) * 2) * _COLUMNS + round((longitude + 180) * 2) + 1


def numbered_place(number: int) -> Place:
    """Return the place of this number."""
    row, column = divmod(number - 1, _COLUMNS)
    return row / 2 - 90, column / 2 - 180


def place_of(
    location: Place | None, subdivisions: tuple[str, ...], country: str | None
) -> tuple[Place, str] | None:
    """Return a client's place, and what says so: its location, its subdivision or its country.

    A subdivision of another country than the one that is known says nothing.
    """
    if location is not None:
        return location, "location"
    for code in subdivisions:
        if code in SUBDIVISION_PLACES and (country is None or code.startswith(country + "-")):
            return SUBDIVISION_PLACES[code], f"subdivision {code}"
    if country is not None and country in COUNTRY_PLACES:
        return COUNTRY_PLACES[country], f"country {country}"
    return None
