# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The compiled path: the answer cache and the common part of `responder` as numbers and octets.

A sound question of class IN is answered here; what is wrong, other classes and transfers are
NOT_HERE, and `AnswerCache` answers them. So there is one meaning, that of responder.py, and what is prepared for a name that exists is
prepared there: the octets are the same for the same packet, client, snapshot, draw and time.

Facts that hold here: octets that are pointed at live as long as the snapshot, an Entry or a
Choice that holds them; a verdict puts another answer object under its number, which `choice_of`
sees; nothing is kept for names that do not exist, and filling stops at a bound; no name is added
to a snapshot that serves.
"""

import os

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF, Py_XDECREF
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy

from ..wire.constants import NSID as CODE_NSID
from ..wire.edns import option, with_options
from ..wire.name import ROOT
from ..wire.query import parse_query
from . import answer as tags
from .answer import Fixed, Hashed, Nested, Several, Shuffled, Weighted
from .cache import MAX_PREPARED, AnswerCache
from .options import ALL_DOWN, MAX_SUBNET_OPTION, NOT_OURS
from .responder import prepare
from .route import client_number
from .snapshot import RELEASE_STEP
from .steps import EVERYONE, parts_of
from .zone import Node, Routed

cdef extern from "Python.h":
    PyObject *PyDict_GetItemWithError(object mapping, object key) except? NULL
    bint PyDict_Next(object mapping, Py_ssize_t *at, PyObject **key, PyObject **value)
    PyObject *PyList_GET_ITEM(object values, Py_ssize_t at)
    Py_ssize_t PyList_GET_SIZE(object values)
    PyObject *PyTuple_GET_ITEM(object values, Py_ssize_t at)

cdef extern from "fast.h" nogil:
    ctypedef struct intervals:
        const uint32_t *starts4
        const uint16_t *rules4
        const uint32_t *index4
        const uint64_t *highs
        const uint64_t *lows
        const uint16_t *rules6
        size_t number4
        size_t number6
        int constant

    uint64_t product_high(uint64_t a, uint64_t b)
    uint64_t split_draw(uint64_t draw)
    void prefetch(const void *place)
    void lower(const unsigned char *name, size_t size, unsigned char *out)
    Py_ssize_t behind_records(const unsigned char *records, Py_ssize_t size, int number)
    void set_owners(unsigned char *records, Py_ssize_t size, const unsigned char *owner)
    double score_of(uint64_t seed, uint64_t key, double share)
    uint64_t network_of(address client)
    int network_scope(address client)
    bint is_placed(const address *bounds, size_t number, address shown, int *nearest)
    uint64_t siphash13(const uint64_t *key, const unsigned char *data, size_t size)
    int is_constant(const intervals *route)
    int find_rule(const intervals *route, address client)
    int rule_for_subnet(
        const intervals *route, address client, address shown, const address *bounds,
        size_t number, int *scope,
    )

cdef extern from "cookie.h" nogil:
    enum:
        COOKIE_KEY
        COOKIE_WHOLE

    void write_cookie(
        const unsigned char *secrets, size_t number, const unsigned char *cookie, size_t size,
        address client, long long now, unsigned char *out,
    )

cdef extern from "fast_index.h" nogil:
    ctypedef struct slot:
        pass

    ctypedef struct name_index:
        uint64_t longest
        bint complete

    bint index_open(name_index *index, uint64_t names)
    bint index_touch(name_index *index, uint64_t octet)
    void index_close(name_index *index)
    bint index_put(
        name_index *index, uint64_t digest, PyObject *name, PyObject *found, bint records,
        uint64_t zone,
    )
    const slot *index_find(
        const name_index *index, uint64_t digest, const unsigned char *name, Py_ssize_t size
    )
    void index_prefetch(const name_index *index, uint64_t digest)
    void index_prefetch_found(const name_index *index, uint64_t digest, size_t size)
    PyObject *found_at(const slot *at)
    bint has_records(const slot *at)
    uint64_t zone_at(const slot *at)
    const unsigned char *record_of(const PyObject *records, int qtype, size_t *size)

cdef enum:
    MOST_RECORDS = MOST_OCTETS
    HEADER = 12
    MAX_NAME = 255
    MOST_KEY = MAX_NAME + 8
    COUNTED = 8192  # different tags that are counted here before they go into the tally; 2 ** 13
    IN = 1
    CNAME = 5
    TYPE_OPT = 41
    DS = 43
    IXFR = 251
    AXFR = 252
    ANY = 255
    NSID = 3
    CLIENT_SUBNET = 8
    COOKIE = 10
    OPT_OCTETS = 11  # without options
    MOST_OPTIONS = 256
    TC = 0x02
    ROOM_FOR_LARGE = 8 << 20  # octets, beside what MAX_KEPT lets each question have
    CHAIN_OCTETS = 4096  # of a chain that may go on, about

cdef bytes DOWN = ALL_DOWN
cdef int DOWN_SIZE = len(DOWN)
cdef int MOST_SUBNET = MAX_SUBNET_OPTION
cdef long long TAG_STATIC = tags.STATIC, TAG_NODATA = tags.NODATA, TAG_NXDOMAIN = tags.NXDOMAIN
cdef long long TAG_REFUSED = tags.REFUSED, TAG_TRUNCATED = tags.TRUNCATED

include "fast_question.pxi"
include "fast_choice.pxi"
include "fast_table.pxi"
include "fast_route.pxi"
include "fast_zone.pxi"
include "fast_index.pxi"
include "fast_render.pxi"
include "fast_steps.pxi"
include "fast_walk.pxi"


cdef class FastCache:
    """Answers UDP queries from one snapshot, as `AnswerCache` does. Of one worker, never shared.

    pure:     who answers what is not answered here
    answered: how many packets were, here
    """

    def __cinit__(self, snapshot, Py_ssize_t bound=MAX_PREPARED):
        self.snapshot = snapshot
        self.pure = AnswerCache(snapshot)
        self._answers = snapshot.answers
        self._numbered = []
        self._known_zones = {}
        self._known_routes = {}
        self._opts = snapshot.opts
        self._refusals = tuple([with_options(opt, NOT_OURS) for opt in snapshot.opts])
        self._tally = snapshot.tally
        self._payload = max(512, snapshot.settings.udp_payload)
        self._client_subnet = snapshot.settings.client_subnet
        self.now = -1
        self.room = ROOM_FOR_LARGE
        self._secrets = b"".join(snapshot.cookies.secrets)
        if len(self._secrets) != COOKIE_KEY * len(snapshot.cookies.secrets):
            raise ValueError("a secret of cookies has 16 octets")
        nsid = snapshot.settings.nsid
        self._nsid = b"" if nsid is None else option(CODE_NSID, nsid)
        self._nsid_size = len(self._nsid)
        self._memory = new_memory(snapshot, bound)
        next(self.build(), None)  # that is all of it where there are few names

    def __dealloc__(self):
        free_memory(<Memory *>self._memory)

    def __len__(self):
        return (<Memory *>self._memory).count + len(self.pure)

    def respond(self, bytes packet not None, host, draw, now=None):
        """As `AnswerCache.respond`: the same octets for the same packet, client, draw and time."""
        response = self.respond_compiled(packet, host, draw, now)
        return self.pure.respond(packet, host, draw, now) if response is None else response

    def respond_compiled(self, bytes packet not None, host, uint64_t draw, now=None):
        """Return the response that is made here, or None where the pure path makes it."""
        self.now = -1 if now is None else now
        cdef unsigned char out[MOST_OCTETS]
        cdef int size
        self.read(0, packet, PyBytes_GET_SIZE(packet))
        size = self.answer(0, address_of(client_number(host)), draw, out)
        return None if size == NOT_HERE else PyBytes_FromStringAndSize(<char *>out, size)

    def respond_batch(self, list packets not None, host, list draws not None, now=None):
        """As `respond_compiled` for each of at most MOST_READ packets, in the steps of a batch."""
        self.now = -1 if now is None else now
        cdef unsigned char out[MOST_OCTETS]
        cdef int number, size
        cdef bytes packet
        cdef address client = address_of(client_number(host))
        if len(packets) > MOST_READ or len(draws) != len(packets):
            raise ValueError("a batch is larger than there is room for")
        for number, packet in enumerate(packets):
            self.read(number, packet, PyBytes_GET_SIZE(packet))
        for number in range(len(packets)):
            self.fetch(number)
        responses = []
        for number in range(len(packets)):
            size = self.answer(number, client, draws[number], out)
            responses.append(
                None if size == NOT_HERE else PyBytes_FromStringAndSize(<char *>out, size)
            )
        return responses

    @property
    def indexed(self):
        """Whether all names are found by the index."""
        return bool((<Memory *>self._memory).index.complete)

    def build(self):
        """Index all names, in slices: one `next` per turn of the loop. Done once, it is done.

        Until the end, and where there is no memory, they are looked up in the dicts of zones.
        """
        return built(self)

    def count(self):
        """Put what was counted here into the tally of the snapshot."""
        cdef Memory *memory = <Memory *>self._memory
        cdef int at
        for at in range(COUNTED):
            pour(self, &memory.counted[at])

    def release(self):
        """Free a cache that no longer serves, in slices: one `next` per turn of the loop."""
        cdef Memory *memory = <Memory *>self._memory
        cdef size_t at = 0
        cdef Py_ssize_t freed
        memory.released = True
        index_close(&memory.index)
        while at <= memory.mask:
            freed = 0
            while at <= memory.mask and freed < RELEASE_STEP:
                freed += drop_slot(memory, at)
                at += 1
            yield
        at = 0
        while at < memory.answers:
            for freed in range(RELEASE_STEP):
                if at < memory.answers:
                    free_choice(memory.choices[at])
                    memory.choices[at] = NULL
                    at += 1
            yield
        yield from self.pure.release()

    cdef void read(self, int number, const unsigned char *packet, Py_ssize_t size) noexcept:
        """Read a packet, which stays where it is until it is answered.

        A batch is read before it is answered: what an answer needs is on its way from memory
        meanwhile. number: of the packet, below MOST_READ
        """
        cdef Memory *memory = <Memory *>self._memory
        cdef Question *question = &memory.questions[number]
        question.taken = read_question(packet, size, question, self._payload, self._client_subnet)
        if question.taken:
            hash_key(question, memory.secret)
            prefetch(&memory.slots[question.hash & memory.mask])
            index_prefetch(&memory.index, question.name_hash)

    cdef void fetch(self, int number) noexcept:
        """Ask for what a packet that was read will need of the table."""
        cdef Memory *memory = <Memory *>self._memory
        cdef Question *question = &memory.questions[number]
        if question.taken:
            prefetch_entry(memory.slots[question.hash & memory.mask])
            index_prefetch_found(&memory.index, question.name_hash, question.name_size)

    cdef int answer(self, int number, address client, uint64_t draw, unsigned char *out) except -2:
        """Write the response to a packet that was read, and return its octets; or NOT_HERE.

        out: of MOST_OCTETS; client: the transport's address; draw: as `responder.respond`
        """
        cdef Memory *memory = <Memory *>self._memory
        cdef Question *question = &memory.questions[number]
        cdef Outcome outcome
        cdef Entry *entry
        cdef Tail tail
        cdef int size
        if not question.taken:
            return NOT_HERE
        entry = find_entry(memory, question)
        if entry == NULL:
            entry = missed(self, question)
            if entry == NULL:
                return NOT_HERE
        tail.question, tail.entry = question, entry
        tail.client, tail.scope = client, 0
        if entry.kind == ENTRY_LEAF:
            size = render(self, &entry.outcome, &tail, out)
            if size != NOT_HERE:
                self.answered += 1
                tally(self, entry.base + entry.outcome.tag)
            return size
        if not settle(self, draw, &tail, &outcome):
            return NOT_HERE
        size = render(self, &outcome, &tail, out)
        if size != NOT_HERE:
            self.answered += 1
            tally(self, entry.base + outcome.tag)
        return size


cdef address address_of(object client):
    cdef address found
    found.high = client >> 64
    found.low = client & 0xFFFF_FFFF_FFFF_FFFF
    return found
