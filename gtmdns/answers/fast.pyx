# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The compiled path: the answer cache and the common part of `responder` as numbers and octets.

A question that is plain, or has an OPT with nothing but Client Subnet, is answered here where its
answer is one of the common kinds; whatever else comes is NOT_HERE, and `AnswerCache` answers it.
So there is one meaning, that of responder.py, and what is prepared for a name that exists is
prepared there: the octets are the same for the same packet, snapshot and draw.

Facts that hold here: octets that are pointed at live as long as the snapshot, an Entry or a
Choice that holds them; a verdict puts another answer object under its number, which `choice_of`
sees; nothing is kept for names that do not exist, and filling stops at a bound.
"""

import os

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject, PyObject_Hash
from cpython.ref cimport Py_INCREF, Py_XDECREF
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy

from ..wire.edns import with_options
from ..wire.query import parse_query
from . import answer as tags
from .answer import Fixed, Nested, Several, Shuffled, Weighted
from .cache import MAX_PREPARED, AnswerCache, client_number
from .options import NOT_OURS
from .responder import prepare
from .snapshot import RELEASE_STEP
from .zone import Node, Routed

cdef extern from "Python.h":
    PyObject *PyDict_GetItemWithError(object mapping, object key) except? NULL
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
    uint64_t siphash13(const uint64_t *key, const unsigned char *data, size_t size)
    int is_constant(const intervals *route)
    int find_rule(const intervals *route, address client)
    int rule_for_subnet(
        const intervals *route, address client, address shown, const address *bounds,
        size_t number, int *scope,
    )

cdef enum:
    MOST_RECORDS = MOST_OCTETS
    HEADER = 12
    MAX_NAME = 255
    MOST_KEY = MAX_NAME + 8
    COUNTED = 8192  # different tags that are counted here before they go into the tally; 2 ** 13
    IN = 1
    TYPE_OPT = 41
    DS = 43
    IXFR = 251
    AXFR = 252
    ANY = 255
    CLIENT_SUBNET = 8
    OPT_OCTETS = 11  # without options

include "fast_choice.pxi"
include "fast_question.pxi"
include "fast_table.pxi"
include "fast_zone.pxi"
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
        self._zones = snapshot.zones
        self._known_zones = {}
        self._known_routes = {}
        self._opts = snapshot.opts
        self._refusals = tuple([with_options(opt, NOT_OURS) for opt in snapshot.opts])
        self._tally = snapshot.tally
        self._longest_apex = snapshot.longest_apex
        self._payload = max(512, snapshot.settings.udp_payload)
        self._client_subnet = snapshot.settings.client_subnet
        self._memory = new_memory(snapshot, bound)

    def __dealloc__(self):
        free_memory(<Memory *>self._memory)

    def __len__(self):
        return (<Memory *>self._memory).count + len(self.pure)

    def respond(self, bytes packet not None, host, draw, now=None):
        """As `AnswerCache.respond`: the same octets for the same packet, client and draw."""
        response = self.respond_compiled(packet, host, draw)
        return self.pure.respond(packet, host, draw, now) if response is None else response

    def respond_compiled(self, bytes packet not None, host, uint64_t draw):
        """Return the response that is made here, or None where the pure path makes it."""
        cdef unsigned char out[MOST_OCTETS]
        cdef int size
        self.read(0, packet, PyBytes_GET_SIZE(packet))
        size = self.answer(0, address_of(client_number(host)), draw, out)
        return None if size == NOT_HERE else PyBytes_FromStringAndSize(<char *>out, size)

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
            question.hash = siphash13(memory.secret, question.key, question.key_size)
            prefetch(&memory.slots[question.hash & memory.mask])

    cdef void fetch(self, int number) noexcept:
        """Ask for what a packet that was read will need of the table."""
        cdef Memory *memory = <Memory *>self._memory
        cdef Question *question = &memory.questions[number]
        if question.taken:
            prefetch_entry(memory.slots[question.hash & memory.mask])

    cdef int answer(self, int number, address client, uint64_t draw, unsigned char *out) except -2:
        """Write the response to a packet that was read, and return its octets; or NOT_HERE.

        out: of MOST_OCTETS; client: the transport's address; draw: as `responder.respond`
        """
        cdef Memory *memory = <Memory *>self._memory
        cdef Question *question = &memory.questions[number]
        cdef Outcome outcome
        cdef Choice *choice
        cdef Entry *entry
        cdef int size, scope = 0
        if not question.taken:
            return NOT_HERE
        entry = find_entry(memory, question)
        if entry == NULL:
            entry = missed(self, question)
        if entry == NULL or entry.kind == ENTRY_PURE:
            return NOT_HERE
        if entry.kind == ENTRY_LEAF:
            outcome = entry.outcome
        else:
            choice = choice_of(self, rule_number(memory, entry, question, client, &scope))
            if choice.kind == IN_PYTHON:
                return NOT_HERE
            choose(choice, draw, &outcome, memory.scratch)
        if outcome.records == NULL:
            return NOT_HERE
        size = write_response(entry, &outcome, question, scope, out)
        if size != NOT_HERE:
            self.answered += 1
            tally(self, entry.base + outcome.tag)
        return size


cdef address address_of(object client):
    cdef address found
    found.high = client >> 64
    found.low = client & 0xFFFF_FFFF_FFFF_FFFF
    return found
