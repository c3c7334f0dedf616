"""Loading: the exact mistakes of each stage, any text at all, and how long it takes."""

import gc
import re
import time

import pytest
from hypothesis import HealthCheck as Health
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gtmdns.config.load import BadConfig, load
from tests.config.mistakes import TABLE
from tests.config.texts import ZONE


@pytest.mark.parametrize(("text", "expected"), TABLE, ids=[row[0][:40] for row in TABLE])
def test_mistakes(mistakes, text, expected):
    """A text without zones that is about something else gets a good zone at its end."""
    about_zones = re.search("^(zone|- zone|# zone|a: {})", text, re.MULTILINE)

    assert mistakes(text + "\n" + ("" if about_zones else ZONE)) == expected


def test_no_stage_hides_behind_an_earlier_one_in_another_file(tmp_path):
    (tmp_path / "a.yaml").write_text("a: 1\na: 2\n")
    (tmp_path / "b.yaml").write_text("server: {x: 1}\n")

    with pytest.raises(BadConfig) as caught:
        load(tmp_path)

    assert [str(m).replace(f"{tmp_path}/", "") for m in caught.value.mistakes] == [
        "a.yaml:2:1: a: set twice; first set in line 1, column 1"
    ]
    assert caught.value.files == (tmp_path, tmp_path / "a.yaml", tmp_path / "b.yaml")


def test_mistakes_in_a_folder_name_the_file(tmp_path):
    (tmp_path / "a.yaml").write_text("pools: {a: {endpoints: []}}\n")
    (tmp_path / "b.yaml").write_text("pools:\n  b: {endpoint: x}\n" + ZONE)

    with pytest.raises(BadConfig) as caught:
        load(tmp_path)

    assert [
        (m.file.removeprefix(f"{tmp_path}/"), m.line, m.key) for m in caught.value.mistakes
    ] == [
        ("a.yaml", 1, "pools.a.endpoints"),
        ("b.yaml", 2, "pools.b.endpoints"),
        ("b.yaml", 2, "pools.b.endpoint"),
    ]


def test_a_missing_file(tmp_path):
    with pytest.raises(BadConfig) as caught:
        load(tmp_path / "none.yaml")

    assert str(caught.value) == (
        f"{tmp_path}/none.yaml:1:1: cannot be read: no such file or directory"
    )


def test_the_collector_is_left_as_it_was(loaded):
    for enabled in (True, False):
        (gc.enable if enabled else gc.disable)()
        try:
            loaded(ZONE)
            assert gc.isenabled() is enabled
        finally:
            gc.enable()


WORDS = st.sampled_from(
    re.split(
        " +",
        "server admin geoip regions health_checks pools zones listen endpoints records nameservers "
        "contact route default pools: all weight to type http tcp A TXT CNAME ttl select max_answers "
        "interval min_available when_all_down federate failback delay never locality location nearest "
        "min max cname resolve ramp eject base isolation canaries share expect_body port grpc dns push a b @ 5s 50% 192.0.2.1 ::1 x.example. null true -1 5 "
        "1.5 ''",
    )
)
DATA = st.recursive(
    WORDS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(WORDS, inner, max_size=4).map(
            lambda items: "{" + ", ".join(f'"{key}": {value}' for key, value in items.items()) + "}"
        )
    ),
    max_leaves=30,
)


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[Health.function_scoped_fixture],
)
@given(st.text(max_size=60) | DATA | DATA.map(lambda text: f"zones: {{z.example: {text}}}"))
@example('zones: {z: {nameservers: {ns1: ["::1"]}, contact: a@b, records: {"": {A: x}}}}')
@example('"[key]": 5')
@example("{0: 1, zones: {0: {0: 1}}}")
def test_any_text_is_a_configuration_or_raises_bad_config(tmp_path, text):
    """And no word of pydantic's reaches an operator."""
    path = tmp_path / "f.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        load(path)
    except BadConfig as error:
        found = error.mistakes
        assert found == sorted(found)
        assert found
        for mistake in found:
            assert mistake.line >= 1
            assert mistake.column >= 1
            assert "Input should" not in mistake.problem
            assert "type=" not in mistake.problem


def test_thousands_of_records_load_in_reasonable_time(loaded):
    """100 000 take 5 s of a core (a tree walked quadratically would take minutes)."""
    text = ZONE.replace("}}", ", records: {") + ",\n".join(
        f"r{n}: {{pools: [p{n % 100}, p1], ttl: 30}}" for n in range(10_000)
    )
    pools = "".join(f"  p{n}: {{endpoints: [192.0.2.{n}]}}\n" for n in range(100))
    begin = time.process_time()

    config = loaded(f"{text}\n}}}}}}\npools:\n{pools}").config

    assert len(config.zones["z.example"].records) == 10_000
    assert time.process_time() - begin < 8


def test_thousands_of_mistakes_are_told_in_reasonable_time(mistakes):
    records = ",\n".join(f"r{n}: {{pools: q{n}, tl{n}: 5}}" for n in range(2_000))
    begin = time.process_time()

    found = mistakes(ZONE.replace("}}", f", records: {{{records}}}}}}}"))

    assert len(found) == 2_000
    assert time.process_time() - begin < 8
