"""Master files (RFC 1035 section 5): the records of a zone, each with the line it stands in.

dnspython cuts the text into words and reads RDATA; directives, owners and TTLs are read here, so
that every mistake has its line, `$INCLUDE` stays inside one folder, and a name outside of the
zone is a mistake. Lines that are as plain as most are read by plain.py, twenty times as fast.
"""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.tokenizer
import dns.ttl

from ..wire.constants import SOA
from ..wire.name import WireName
from .entries import behind_entry
from .mistakes import Mistake, Place
from .plain import Carried, read_plain_lines
from .rrtypes import plainly, refusal, type_number, type_text

MAX_OCTETS = 64 * 2**20  # all master files together
MAX_FILES = 1_000  # that one zone's file includes, one inside the other or again and again
MAX_MISTAKES = 20  # told of one zone
IN = dns.rdataclass.IN


@dataclass(slots=True)
class FileRrset:
    """One RRset. Its TTL is the smallest that a record of it has (RFC 2181 section 5.2).

    file, line: of the first record
    values:     each RDATA once, in their order
    """

    ttl: int
    file: str
    line: int
    values: list[bytes]

    @property
    def place(self) -> Place:
        return Place(self.file, self.line, 0)


@dataclass(slots=True)
class ZoneFile:
    """What a master file holds. `digest`: of the contents of all its files."""

    rrsets: dict[WireName, dict[int, FileRrset]] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    digest: str = ""
    _longer: list[FileRrset] = field(default_factory=list)  # of more than one record

    def add(self, name: WireName, rtype: int, ttl: int, rdata: bytes, file: str, line: int) -> None:
        rrsets = self.rrsets.get(name)
        if rrsets is None:
            self.rrsets[name] = {rtype: FileRrset(ttl, file, line, [rdata])}
            return
        rrset = rrsets.get(rtype)
        if rrset is None:
            rrsets[rtype] = FileRrset(ttl, file, line, [rdata])
            return
        rrset.ttl = min(rrset.ttl, ttl)
        rrset.values.append(rdata)
        if len(rrset.values) == 2:
            self._longer.append(rrset)

    def finish(self) -> None:
        """Drop what was there twice: at once, since an RRset may have a million records."""
        for rrset in self._longer:
            rrset.values = list(dict.fromkeys(rrset.values))
        self._longer.clear()


class Budget:
    """Octets that are left to read."""

    def __init__(self, octets: int = MAX_OCTETS) -> None:
        self.left = octets


def read_zone_file(
    name: str, folder: Path, apex: str, ttl: int, budget: Budget, asked: Mistake
) -> ZoneFile:
    """Read a master file and what it includes. Raises nothing: see `mistakes`.

    name:   of the file, in `folder`; every file must be inside of that, links followed
    ttl:    of records where neither $TTL nor a record before them has one
    asked:  a mistake of who asks for the file, for what is wrong with the file as a whole
    """
    found = ZoneFile()
    _Reader(found, folder, apex, ttl, budget).read(folder / name, asked)
    return found


class _Stop(Exception):
    """Reading cannot go on: the mistake was noted."""


class _Skip(Exception):
    """A record cannot be read, what follows may: the mistake was noted."""


@dataclass(slots=True)
class _State:
    """What carries over from line to line of one file; a file included begins with a copy."""

    origin: dns.name.Name
    owner: dns.name.Name | None = None
    default: int | None = None  # $TTL (RFC 2308 section 4)
    last: int | None = None  # the last TTL written
    minimum: int | None = None  # of the SOA


class _Cursor:
    """A text as dnspython wants to read it, one character after the other."""

    __slots__ = ("at", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def read(self, _size: int) -> str:
        at = self.at
        self.at = at + 1
        return self.text[at : at + 1]

    def begins_line(self) -> bool:
        """Return whether a line feed was read last; CR LF is dnspython's to read as one."""
        return self.at == 0 or self.text[self.at - 1 : self.at] == "\n"


class _Reader:
    def __init__(self, found: ZoneFile, folder: Path, apex: str, ttl: int, budget: Budget) -> None:
        self.found = found
        self.folder = folder.resolve()
        self.apex = dns.name.from_text(apex)
        self.apex_wire = WireName(self.apex.to_digestable())
        self.ttl = ttl
        self.budget = budget
        self.hash = sha256()
        self.including: list[Path] = []
        self.wires: dict[dns.name.Name, WireName | None] = {}

    def read(self, path: Path, asked: Mistake) -> None:
        with suppress(_Stop):  # the mistake is noted
            self._file(path, _State(self.apex), asked)
        self.found.finish()
        self.found.digest = self.hash.hexdigest()

    def _mistake(self, place: Place, problem: str) -> None:
        self.found.mistakes.append(Mistake(*place, "", problem))
        if len(self.found.mistakes) >= MAX_MISTAKES:
            self.found.mistakes.append(Mistake(*place, "", "reading ends after so many mistakes"))
            raise _Stop

    def _stop(self, place: Place, problem: str) -> _Stop:
        return self._stop_at(Mistake(*place, "", ""), problem)

    def _stop_at(self, asked: Mistake, problem: str) -> _Stop:
        self.found.mistakes.append(asked._replace(problem=problem))
        return _Stop()

    # ---- files

    def _file(self, path: Path, state: _State, asked: Mistake) -> None:
        """Read one file. `asked`: where it is named."""
        try:
            real = path.resolve()
        except (OSError, RuntimeError, ValueError) as error:  # a ring of links, a NUL
            raise self._stop_at(asked, f"{path} cannot be read: {error}") from None
        if not real.is_relative_to(self.folder):
            raise self._stop_at(asked, f"{path} is outside of the folder {self.folder}")
        if real in self.including:
            raise self._stop_at(asked, f"{path} includes itself")
        if len(self.found.files) >= MAX_FILES:
            raise self._stop_at(asked, f"more than {MAX_FILES} files")
        self.found.files.append(path)
        text = self._text(path, asked)
        self.including.append(real)
        self._lines(text, path, state)
        self.including.pop()

    def _text(self, path: Path, asked: Mistake) -> str:
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):
                raise self._stop_at(asked, f"{path} is not a regular file")
            with path.open("rb") as file:
                octets = file.read(self.budget.left + 1)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            reason = getattr(error, "strerror", None) or str(error)
            raise self._stop_at(
                asked, f"{path} cannot be read: {reason[:1].lower()}{reason[1:]}"
            ) from None
        if len(octets) > self.budget.left:
            limit = f"all master files together may have {MAX_OCTETS // 2**20} MiB"
            raise self._stop_at(asked, f"{path} is too large; {limit}")
        self.budget.left -= len(octets)
        self.hash.update(sha256(octets).digest())
        try:
            return octets.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = octets.count(b"\n", 0, error.start) + 1
            raise self._stop(Place(str(path), line, 0), "not UTF-8") from None

    def _lines(self, text: str, path: Path, state: _State) -> None:
        cursor = _Cursor(text)
        words = dns.tokenizer.Tokenizer(cursor, str(path))
        while True:
            if cursor.begins_line():
                cursor.at, words.line_number = self._plain_lines(
                    text, cursor.at, words.line_number, str(path), state
                )
            begin, line = cursor.at, words.line_number
            try:
                if not self._entry(words, path, state):
                    return
            except _Skip:
                words = self._behind(cursor, begin, line, path)

    def _behind(
        self, cursor: _Cursor, begin: int, line: int, path: Path
    ) -> dns.tokenizer.Tokenizer:
        """Move behind the record that begins there and cannot be read; return what reads on."""
        behind = behind_entry(cursor.text, begin)
        if behind is None:
            raise _Stop
        cursor.at, lines = behind
        words = dns.tokenizer.Tokenizer(cursor, str(path))
        words.line_number = line + lines
        return words

    def _plain_lines(
        self, text: str, at: int, line: int, file: str, state: _State
    ) -> tuple[int, int]:
        """Read what lines are plain; return where the others begin, and the number of the line."""
        other = self.ttl if state.minimum is None else state.minimum
        owner = None if state.owner is None else self._wire(state.owner)
        origin = state.origin.to_wire() or b""
        carried = Carried(origin, owner, state.default, state.last, other)
        add = self.found.add
        at, line = read_plain_lines(
            text,
            at,
            line,
            self.apex_wire,
            carried,
            lambda name, rtype, ttl, rdata, line: add(name, rtype, ttl, rdata, file, line),
        )
        state.last = carried.last
        if carried.spelled is not None:
            state.owner = dns.name.from_text(carried.spelled, state.origin)
        return at, line

    def _entry(self, words: dns.tokenizer.Tokenizer, path: Path, state: _State) -> bool:
        """Read one record or directive of any form; return whether there was one, or a line."""
        directives: dict[str, Callable[[dns.tokenizer.Tokenizer, Path, _State], None]] = {
            "$ORIGIN": self._origin,
            "$TTL": self._ttl,
            "$INCLUDE": self._include,
        }
        line = words.line_number
        failed: type[Exception] = _Skip
        try:
            token = words.get(want_leading=True)
            if token.is_eol_or_eof():
                return token.is_eol()
            line = words.line_number
            directive = token.value.upper() if token.is_identifier() else ""
            if directive in directives:
                failed = _Stop  # what follows means something else without it
                directives[directive](words, path, state)
            elif directive.startswith("$"):
                raise self._stop(Place(str(path), line, 0), f"{token.value} is not supported")
            else:
                words.unget(token)
                self._record(words, Place(str(path), line, 0), state)
        except (dns.exception.DNSException, ValueError) as error:
            self._mistake(Place(str(path), line, 0), f"cannot be read: {plainly(error)}")
            raise failed from None
        return True

    # ---- directives

    def _origin(self, words: dns.tokenizer.Tokenizer, path: Path, state: _State) -> None:
        state.origin = words.get_name(state.origin)
        words.get_eol()

    def _ttl(self, words: dns.tokenizer.Tokenizer, path: Path, state: _State) -> None:
        state.default = _seconds(words.get_identifier())
        words.get_eol()

    def _include(self, words: dns.tokenizer.Tokenizer, path: Path, state: _State) -> None:
        """Read another file in its place; origin and owner are then as they were."""
        place = Place(str(path), words.line_number, 0)
        name = words.get_string()
        token = words.get()
        origin = state.origin
        if not token.is_eol_or_eof():
            origin = words.as_name(token, state.origin)
            words.get_eol()
        inner = _State(origin, state.owner, state.default, state.last, state.minimum)
        self._file(path.parent / name, inner, Mistake(*place, "", ""))

    # ---- records

    def _record(self, words: dns.tokenizer.Tokenizer, place: Place, state: _State) -> None:
        token = words.get(want_leading=True)
        if not token.is_whitespace():
            state.owner = words.as_name(token, state.origin)
        else:
            token = words.get()
            if token.is_eol_or_eof():
                return
            words.unget(token)
        owner = state.owner
        if owner is None:
            raise ValueError("the first record has no owner")
        ttl, word = self._ttl_and_class(words, state)
        number = type_number(word.upper())
        if number is None:
            raise ValueError(f"{word} is no RR type")
        rtype = dns.rdatatype.RdataType.make(number)
        try:
            rdata = dns.rdata.from_text(IN, rtype, words, state.origin, relativize=False)
        except (dns.exception.DNSException, ValueError) as error:
            raise ValueError(f"no {type_text(number)} record ({plainly(error)})") from None
        if number == SOA and state.minimum is None:
            state.minimum = rdata.minimum  # type: ignore[attr-defined]  # an SOA has it
        self._add(owner, number, self._or_default(ttl, state), rdata.to_wire() or b"", place)

    def _ttl_and_class(
        self, words: dns.tokenizer.Tokenizer, state: _State
    ) -> tuple[int | None, str]:
        """Read [TTL] [class] in either order, and return the TTL and the word of the type."""
        ttl: int | None = None
        has_class = False
        while True:
            word = words.get_identifier()
            if ttl is None and word[:1].isdigit():
                ttl = state.last = _seconds(word)
            elif not has_class and word.upper() in ("IN", "CH", "HS", "CS", "ANY"):
                has_class = True
                if word.upper() != "IN":
                    raise ValueError(f"the class is {word}, expected IN")
            else:
                return ttl, word

    def _or_default(self, ttl: int | None, state: _State) -> int:
        """Return the TTL of a record: its own, $TTL, the last one, the SOA's minimum, or ours."""
        for known in (ttl, state.default, state.last, state.minimum):
            if known is not None:
                return known
        return self.ttl

    def _add(self, owner: dns.name.Name, number: int, ttl: int, rdata: bytes, place: Place) -> None:
        name = self._wire(owner)
        refused = None if number == SOA else refusal(number)
        if name is None:
            self._mistake(place, f"{owner} is not in the zone {self.apex}")
        elif refused is not None:
            self._mistake(place, f"{type_text(number)}: {refused}")
        elif number == SOA and owner != self.apex:
            self._mistake(place, f"an SOA at {owner}, expected it at {self.apex} alone")
        else:
            if number == SOA:
                first = self.found.rrsets.get(name, {}).get(SOA)
                if first is not None and rdata not in first.values:
                    self._mistake(place, f"a second SOA; the first is at {first.place}")
            self.found.add(name, number, ttl, rdata, place.file, place.line)

    def _wire(self, owner: dns.name.Name) -> WireName | None:
        """Return a name in wire format, lower case; None where it is not in the zone."""
        if owner not in self.wires:
            inside = owner.is_subdomain(self.apex)
            self.wires[owner] = WireName(owner.to_digestable()) if inside else None
        return self.wires[owner]


def _seconds(word: str) -> int:
    """Return a TTL such as 300 or 1h30m in seconds; 31 bits at most (RFC 2181 section 8)."""
    ttl = dns.ttl.from_text(word)
    if ttl >= 2**31:
        raise ValueError(f"a TTL of {word}, allowed are 2147483647 seconds")
    return ttl
