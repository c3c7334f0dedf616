"""The end of a certificate, with the `cryptography` package as judge."""

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from gtmdns.health.certificate import not_after


def certificate(last: datetime.datetime, issuer: str = "issuer") -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime(1951, 1, 1))
        .not_valid_after(last)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )


@pytest.mark.parametrize("year", [1951, 1969, 1999, 2026, 2049, 2050, 9999])
@pytest.mark.parametrize("issuer", ["x", "x" * 64])
def test_both_forms_of_time(year: int, issuer: str) -> None:
    """UTCTime until 2049, GeneralizedTime from 2050 on (RFC 5280 section 4.1.2.5)."""
    last = datetime.datetime(year, 2, 3, 4, 5, 6, tzinfo=datetime.UTC)
    der = certificate(last, issuer)

    assert not_after(der) == last.timestamp()
    assert x509.load_der_x509_certificate(der).not_valid_after_utc == last


WHOLE = certificate(datetime.datetime(2030, 1, 1))


def test_a_certificate_cut_anywhere_is_unreadable() -> None:
    assert not_after(WHOLE) is not None
    assert {not_after(WHOLE[:length]) for length in range(len(WHOLE))} == {None}


@settings(max_examples=300, deadline=None)
@given(at=st.integers(0, len(WHOLE) - 1), octet=st.integers(0, 255), tail=st.binary(max_size=8))
def test_a_forged_certificate_raises_nothing(at: int, octet: int, tail: bytes) -> None:
    forged = WHOLE[:at] + bytes([octet]) + WHOLE[at + 1 :] + tail

    assert isinstance(not_after(forged), float | None)


@given(st.binary(max_size=60))
def test_any_octets_raise_nothing(octets: bytes) -> None:
    assert not_after(octets) is None
