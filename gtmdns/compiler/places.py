"""Names of continents, Chinese provinces and networks, in the spellings that data files use.

One spelling is used inside gtmdns: continents of two letters (AF AN AS EU NA OC SA), countries of
ISO 3166-1 alpha-2, subdivisions of ISO 3166-2 ("CN-ZJ"), networks (ISPs) in lower case ("telecom").
"""

_COUNTRIES = {
    "AF": "AO BF BI BJ BW CD CF CG CI CM CV DJ DZ EG EH ER ET GA GH GM GN GQ GW KE KM LR LS LY"
    " MA MG ML MR MU MW MZ NA NE NG RE RW SC SD SH SL SN SO SS ST SZ TD TG TN TZ UG YT ZA"
    " ZM ZW",
    "AN": "AQ BV GS HM TF",
    "AS": "AE AF AM AZ BD BH BN BT CC CN CX CY GE HK ID IL IN IO IQ IR JO JP KG KH KP KR KW KZ"
    " LA LB LK MM MN MO MV MY NP OM PH PK PS QA SA SG SY TH TJ TL TM TR TW UZ VN YE",
    "EU": "AD AL AT AX BA BE BG BY CH CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IM IS IT JE"
    " LI LT LU LV MC MD ME MK MT NL NO PL PT RO RS RU SE SI SJ SK SM UA VA XK",
    "NA": "AG AI AW BB BL BM BQ BS BZ CA CR CU CW DM DO GD GL GP GT HN HT JM KN KY LC MF MQ MS"
    " MX NI PA PM PR SV SX TC TT US VC VG VI",
    "OC": "AS AU CK FJ FM GU KI MH MP NC NF NR NU NZ PF PG PN PW SB TK TO TV UM VU WF WS",
    "SA": "AR BO BR CL CO EC FK GF GY PE PY SR UY VE",
}

CONTINENTS = frozenset(_COUNTRIES)

CONTINENT_OF = {
    country: continent
    for continent, countries in _COUNTRIES.items()
    for country in countries.split()
}

# ISO 3166-2 letters: (GB/T 2260 number, names in lower case). The second and later names are
# the older English spelling, Pinyin of the full name, and Chinese; endings such as
# "province" and "省" are taken off before a name is looked for.
_PROVINCES = {
    "AH": (34, "anhui", "安徽"),
    "BJ": (11, "beijing", "peking", "北京"),
    "CQ": (50, "chongqing", "重庆"),
    "FJ": (35, "fujian", "福建"),
    "GD": (44, "guangdong", "广东"),
    "GS": (62, "gansu", "甘肃"),
    "GX": (45, "guangxi", "guangxi zhuang", "guangxi zhuangzu", "广西", "广西壮族"),
    "GZ": (52, "guizhou", "贵州"),
    "HA": (41, "henan", "河南"),
    "HB": (42, "hubei", "湖北"),
    "HE": (13, "hebei", "河北"),
    "HI": (46, "hainan", "海南"),
    "HK": (81, "hong kong", "hongkong", "xianggang", "香港"),
    "HL": (23, "heilongjiang", "黑龙江"),
    "HN": (43, "hunan", "湖南"),
    "JL": (22, "jilin", "吉林"),
    "JS": (32, "jiangsu", "江苏"),
    "JX": (36, "jiangxi", "江西"),
    "LN": (21, "liaoning", "辽宁"),
    "MO": (82, "macao", "macau", "aomen", "澳门"),
    "NM": (15, "inner mongolia", "nei mongol", "nei menggu", "neimenggu", "内蒙古"),
    "NX": (64, "ningxia", "ningxia hui", "ningxia huizu", "宁夏", "宁夏回族"),
    "QH": (63, "qinghai", "青海"),
    "SC": (51, "sichuan", "四川"),
    "SD": (37, "shandong", "山东"),
    "SH": (31, "shanghai", "上海"),
    "SN": (61, "shaanxi", "陕西"),
    "SX": (14, "shanxi", "山西"),
    "TJ": (12, "tianjin", "天津"),
    "TW": (71, "taiwan", "台湾", "臺灣"),
    "XJ": (65, "xinjiang", "xinjiang uygur", "xinjiang uyghur", "xinjiang weiwuer", "新疆",
           "新疆维吾尔"),
    "XZ": (54, "tibet", "xizang", "xizang (tibet)", "西藏"),
    "YN": (53, "yunnan", "云南"),
    "ZJ": (33, "zhejiang", "浙江"),
}  # fmt: skip

_ENDINGS = (
    " province", " municipality", " autonomous region", " sar", " sheng", " shi", " zizhiqu",
    "特别行政区", "自治区", "省", "市",
)  # fmt: skip

_PROVINCE_OF = {
    spelling: letters
    for letters, (number, *names) in _PROVINCES.items()
    for spelling in (letters.lower(), str(number), *names)
}

# Chinese networks as files name them; an ISP that is not here keeps its own name in lower case.
_ISPS = {
    "telecom": ("china telecom", "chinanet", "chinatelecom", "中国电信", "电信"),
    "unicom": ("china unicom", "china169", "cncgroup", "chinaunicom", "中国联通", "联通"),
    "mobile": ("china mobile", "cmcc", "cmnet", "chinamobile", "中国移动", "移动"),
    "education": ("cernet", "china education and research network", "中国教育网", "教育网"),
    "tietong": ("china tietong", "中国铁通", "铁通"),
    "broadcast": ("china broadcast", "china broadnet", "cbn", "中国广电", "广电"),
}
_ISP_OF = {spelling: name for name, spellings in _ISPS.items() for spelling in spellings}


def country_code(text: str) -> str | None:
    """Return a country of two letters in upper case, or None where the text is none."""
    code = text.strip().upper()
    return code if len(code) == 2 and code.isascii() and code.isalpha() and code != "ZZ" else None


def subdivision_code(text: str, country: str | None = None) -> str | None:
    """Return "CN-ZJ" for "CN-ZJ", "CN-33", "CN-Zhejiang", or any such part with its country.

    Chinese provinces may be ISO letters, GB/T 2260 numbers (33, or 330000) or English, Pinyin and
    Chinese names. Elsewhere the part stays as it is, in upper case: "US-CA", and "US-CALIFORNIA"
    where a file has nothing but names. None: no part, or no country.
    """
    part = text.strip()
    if part[2:3] == "-" and (given := country_code(part[:2])) and given == (country or given):
        country, part = given, part[3:].strip()
    if not part or country is None:
        return None
    if country == "CN":
        part = _province(part) or part
    return f"{country}-{part.upper()}"


def _province(text: str) -> str | None:
    """Return the ISO letters of a Chinese province in any spelling, None where it is none."""
    name = text.casefold()
    if name.isdecimal() and len(name) == 6:
        name = name[:2]  # the number of a place in a province begins with that of the province
    for ending in _ENDINGS:
        name = name.removesuffix(ending).rstrip()
    return _PROVINCE_OF.get(name)


def isp_name(text: str) -> str:
    """Return the name of an ISP in one spelling: "telecom" for "China Telecom" and "电信"."""
    name = " ".join(text.casefold().split())
    return _ISP_OF.get(name, name)
