"""A response that is too long, made shorter where that loses nothing that was asked for."""

from ..wire.message import counts


def without_additional(response: bytes, question_end: int, opt: bytes) -> bytes | None:
    """Return `response` without its additional records, but with its OPT record.

    None: it has none, or it is a referral, behind links or not, whose glue may not be left out
    (RFC 9471). What stands in the additional section otherwise is no reason to truncate (RFC
    2181 section 9), and no records of the authority section stand before it.
    """
    answer = int.from_bytes(response[6:8])
    authority = int.from_bytes(response[8:10])
    own = 1 if opt else 0
    if authority or int.from_bytes(response[10:12]) == own:
        return None
    end = question_end
    for _ in range(answer):
        end = _behind_record(response, end)
    return b"".join(
        (
            response[:6],
            counts(answer, 0, own),
            response[12:end],
            opt,
        )
    )


def _behind_record(message: bytes, at: int) -> int:
    """Return the offset behind the record at `at`, which is one of ours."""
    while message[at] and message[at] < 0xC0:
        at += 1 + message[at]
    at += 2 if message[at] else 1
    return at + 10 + int.from_bytes(message[at + 8 : at + 10])
