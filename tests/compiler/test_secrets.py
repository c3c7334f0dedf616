"""The file of `server.cookies.secret_file`."""

import pytest

from gtmdns.compiler.build import compile_config
from gtmdns.compiler.secrets import BadSecrets, read_secrets
from gtmdns.config.load import load
from gtmdns.config.mistakes import BadConfig
from gtmdns.control.loader import frames_of, load_and_compile, mistakes_from
from tests.compiler.support import NOW, with_records

FIRST, SECOND = "00112233445566778899aabbccddeeff", "FFEEDDCCBBAA99887766554433221100"
CONFIG = "geoip: {databases: []}\nserver:\n  cookies: {secret_file: secrets}\n" + with_records(
    "www: {A: 192.0.2.1}"
)

# fmt: off
GOOD = [
    # id                     file                                                 secrets
    ("one",                  FIRST,                                               [FIRST]),
    ("a line",               FIRST + "\n",                                        [FIRST]),
    ("two, in their order",  f"{SECOND}\n{FIRST}\n",                              [SECOND, FIRST]),
    ("comments and spaces",  f"# new\n\n  {FIRST}\t\r\n#old\n{SECOND}\r\n",       [FIRST, SECOND]),
    ("eight",                f"{FIRST}\n" * 8,                                    [FIRST] * 8),
]
BAD = [
    # id                     file                                                 problem, after the path
    ("nothing",              "",                                                  ": expected 1 to 8 secrets, got 0"),
    ("only comments",        "# later\n",                                         ": expected 1 to 8 secrets, got 0"),
    ("nine",                 f"{FIRST}\n" * 9,                                    ": expected 1 to 8 secrets, got 9"),
    ("too short",            FIRST[:-2],                                          ", line 1: expected 32 hexadecimal digits, or nothing else in the line"),
    ("two in a line",        f"{FIRST}\n{FIRST} {SECOND}",                        ", line 2: expected 32 hexadecimal digits, or nothing else in the line"),
    ("no digits",            "\n" + "x" * 32,                                     ", line 2: expected 32 hexadecimal digits, or nothing else in the line"),
    ("not ASCII",            "é" * 16,                                            ", line 1: expected 32 hexadecimal digits, or nothing else in the line"),
    ("too long",             "#" * 4097,                                          " has more than 4096 octets"),
]
# fmt: on


@pytest.mark.parametrize(("text", "secrets"), [row[1:] for row in GOOD], ids=[r[0] for r in GOOD])
def test_good_files(text, secrets, tmp_path):
    path = tmp_path / "secrets"
    path.write_bytes(text.encode())

    assert read_secrets(path) == tuple(map(bytes.fromhex, secrets))


@pytest.mark.parametrize(("text", "problem"), [row[1:] for row in BAD], ids=[r[0] for r in BAD])
def test_bad_files(text, problem, tmp_path):
    path = tmp_path / "secrets"
    path.write_text(text)

    with pytest.raises(BadSecrets) as bad:
        read_secrets(path)

    assert bad.value.problem == f"{path}{problem}"


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(BadSecrets, match=r"nothing cannot be read: No such file or directory$"):
        read_secrets(tmp_path / "nothing")


def test_a_configuration_with_secrets(tmp_path):
    """The file is relative to the folder of the configuration, and is watched."""
    config = tmp_path / "gtmdns.yaml"
    config.write_text(CONFIG)
    (tmp_path / "secrets").write_text(FIRST)

    compiled, _, files = load_and_compile(config, {})

    assert compiled.plan.cookie_secrets == (bytes.fromhex(FIRST),)
    assert files == (config, tmp_path / "secrets")


def test_a_configuration_without_has_none(tmp_path):
    config = tmp_path / "gtmdns.yaml"
    config.write_text(CONFIG.replace("secrets", "null"))

    assert compile_config(load(config), {}, NOW).plan.cookie_secrets == ()


def test_a_bad_file_is_a_mistake_of_the_configuration_and_its_contents_are_not_told(tmp_path):
    config = tmp_path / "gtmdns.yaml"
    config.write_text(CONFIG)
    (tmp_path / "secrets").write_text(SECOND[:-1])

    with pytest.raises(BadConfig) as bad:
        compile_config(load(config), {}, NOW)

    (mistake,) = bad.value.mistakes
    assert (mistake.line, mistake.key) == (3, "server.cookies.secret_file")
    assert str(tmp_path / "secrets") in mistake.problem
    assert SECOND[:-1] not in mistake.problem
    files, mistakes = frames_of(config, {})
    assert mistakes_from(mistakes) == [mistake]
    assert str(tmp_path / "secrets") in files[3]
