# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Batches of UDP packets in one system call each way; udp.py says what is done with them.

All batches of a worker share one set of buffers: one thread reads its sockets in turn, and
nothing of a batch is needed after it. Answers of the compiled cache are written where they are
sent from; those of the pure path are sent from the octets that it returned.
"""

import os
from socket import inet_ntop
from time import time

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, errno
from libc.stdint cimport uint8_t, uint16_t, uint64_t
from libc.string cimport memcpy
from libc.time cimport time as clock

from ..answers.fast cimport MOST_OCTETS, MOST_READ, NOT_HERE, FastCache, address, next_draw

cdef extern from "drain.h" nogil:
    enum:
        AF_INET6
        BATCH
        ROOM

    ctypedef struct reader:
        pass

    ctypedef struct peer_address:
        int family
        uint16_t port  # in the order of this machine
        uint8_t octets[16]

    reader *new_reader()
    int receive(reader *all, int descriptor, int with_ancillary)
    const unsigned char *packet_of(reader *all, int number, size_t *size)
    void peer_of(reader *all, int number, peer_address *peer)
    unsigned char *room_of(reader *all)
    void answer_from(reader *all, int number, const void *octets, size_t size, int with_ancillary)
    int waiting(reader *all)
    uint64_t nanoseconds()
    void rest(long nanoseconds)
    int send_all(reader *all, int descriptor)


cdef enum:
    MOST = 5 * BATCH + 1  # packets read before the last batch of a turn; so at most 6 of them
    # What a system call and the waking of those who asked cost is paid for each batch, so under load
    # batches have to be large. They are four or five packets for a server that reads whatever is
    # there; a rest between them makes them 25 or more. It delays an answer by no more than itself.
    SAMPLE = 64  # packets; how long they took to come tells whether this is load
    LOAD = 20_000  # packets per second
    LARGE = 48  # packets of a batch after which no rest is worth its time
    REST = 100_000  # nanoseconds
    MOST_RESTS = 8  # of a turn, so that the others of the loop wait a millisecond for them at most

cdef reader *BUFFERS = new_reader()  # a megabyte, for the life of the process
if BUFFERS == NULL:
    raise MemoryError
if <int>BATCH > <int>MOST_READ or <int>ROOM < <int>MOST_OCTETS:
    raise ImportError("the buffers of the drain do not fit the compiled answers")
cdef uint64_t STATE[4]
_seed = os.urandom(32)
memcpy(STATE, PyBytes_AS_STRING(_seed), 32)


cdef class Batch:
    """Reads and answers one socket.

    error:    errno of the last reading where that failed, else 0
    unsent:   answers that the kernel did not take, in the last turn
    portless: answers to port 0 that were not sent, in the last turn
    """

    cdef int _descriptor
    cdef bint _wildcard
    cdef bint _loaded
    cdef int _counted  # of this sample
    cdef uint64_t _since  # when this sample began, nanoseconds
    cdef readonly int error
    cdef readonly int unsent
    cdef readonly int portless

    def __cinit__(self, int descriptor, bint wildcard):
        self._descriptor = descriptor
        self._wildcard = wildcard

    def turn(self, cache, failed):
        """Answer up to MOST queries, a batch at a time; return how many were read.

        cache:  a FastCache, or what has `respond` as an AnswerCache has
        failed: called with the packet where that raises; returns a response or None
        """
        cdef int read, total = 0, rests = 0
        cdef FastCache fast = <FastCache>cache if type(cache) is FastCache else None
        self.error = self.unsent = self.portless = 0
        while total < MOST:
            read = receive(BUFFERS, self._descriptor, self._wildcard)
            if read < 0 and errno != EAGAIN:  # EWOULDBLOCK is the same on Linux
                self.error = errno
            if read <= 0:
                self._loaded = self._loaded and not rests
                break
            total += read
            self.respond_all(read, fast, cache, failed)
            self.sample(read)
            if self._loaded and read < LARGE:
                if rests == MOST_RESTS:
                    break
                rests += 1
                rest(REST)
        return total

    cdef void sample(self, int read) noexcept:
        """Tell load from the time in which so many packets came."""
        cdef uint64_t now
        self._counted += read
        if self._counted >= SAMPLE:
            now = nanoseconds()
            self._loaded = (now - self._since) * LOAD < <uint64_t>self._counted * 1_000_000_000
            self._since, self._counted = now, 0

    cdef int respond_all(self, int read, FastCache fast, cache, failed) except -1:
        """Answer the batch that was read."""
        cdef int number
        cdef size_t size = 0
        cdef const unsigned char *packet
        if fast is not None:
            fast.now = clock(NULL)
            for number in range(read):
                packet = packet_of(BUFFERS, number, &size)
                fast.read(number, packet, size)
            for number in range(read):
                fast.fetch(number)
        held = []  # octets that are sent from where they are
        for number in range(read):
            self.respond(number, fast, cache, failed, held)
        if waiting(BUFFERS):
            self.unsent += send_all(BUFFERS, self._descriptor)
        return 0

    cdef int respond(self, int number, FastCache fast, cache, failed, list held) except -1:
        """Make the response to one packet of the batch, and put it where it is sent from."""
        cdef peer_address peer
        cdef size_t size = 0
        cdef const unsigned char *packet = packet_of(BUFFERS, number, &size)
        cdef unsigned char *room = room_of(BUFFERS)
        cdef uint64_t draw = next_draw(STATE)
        cdef int written = NOT_HERE
        peer_of(BUFFERS, number, &peer)
        try:
            if fast is not None:
                written = fast.answer(number, client_of(&peer), draw, room)
            if written == NOT_HERE:
                response = answer_pure(packet, size, &peer, draw, cache if fast is None else fast.pure)
        except Exception:
            written = NOT_HERE
            response = failed(PyBytes_FromStringAndSize(<char *>packet, size))
        if written == NOT_HERE:
            if response is None:
                return 0
            held.append(response)
            room = <unsigned char *>PyBytes_AS_STRING(response)
            written = PyBytes_GET_SIZE(response)
        if peer.port == 0:
            self.portless += 1
            return 0
        answer_from(BUFFERS, number, room, written, self._wildcard)
        return 0


cdef bytes answer_pure(
    const unsigned char *packet, size_t size, const peer_address *peer, uint64_t draw, cache
):
    octets = 16 if peer.family == AF_INET6 else 4
    host = inet_ntop(peer.family, PyBytes_FromStringAndSize(<char *>peer.octets, octets))
    return cache.respond(PyBytes_FromStringAndSize(<char *>packet, size), host, draw, int(time()))


cdef inline address client_of(const peer_address *peer) noexcept nogil:
    """Return the transport's address as 128 bits, IPv4 mapped."""
    cdef address client
    if peer.family == AF_INET6:
        client.high, client.low = number_of(peer.octets, 8), number_of(peer.octets + 8, 8)
    else:
        client.high, client.low = 0, <uint64_t>0xFFFF << 32 | number_of(peer.octets, 4)
    return client


cdef inline uint64_t number_of(const uint8_t *octets, int count) noexcept nogil:
    cdef uint64_t number = 0
    cdef int at
    for at in range(count):
        number = number << 8 | octets[at]
    return number
