"""What the compiled drain (serve/drain.pyx) calls of the compiled answer cache."""

from libc.stdint cimport uint64_t

cdef extern from "fast.h" nogil:
    ctypedef struct address:
        uint64_t high
        uint64_t low

    uint64_t next_draw(uint64_t *state)

cdef enum:
    NOT_HERE = -1  # the packet is one for the pure path
    MOST_READ = 64  # packets that may be read before they are answered
    MOST_OCTETS = 4096  # of a response from here: `server.udp_payload` is not larger

cdef class FastCache:
    cdef readonly object snapshot
    cdef readonly object pure
    cdef readonly unsigned long long answered
    cdef object __weakref__
    cdef list _answers
    cdef dict _zones
    cdef dict _known_zones
    cdef dict _known_routes
    cdef tuple _opts
    cdef tuple _refusals
    cdef object _tally
    cdef Py_ssize_t _longest_apex
    cdef int _payload
    cdef bint _client_subnet
    cdef void *_memory

    cdef void read(self, int number, const unsigned char *packet, Py_ssize_t size) noexcept
    cdef void fetch(self, int number) noexcept
    cdef int answer(self, int number, address client, uint64_t draw, unsigned char *out) except -2
