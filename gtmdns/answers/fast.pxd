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
    cdef public long long now  # Unix time in seconds, for cookies; below 0: no cookies
    cdef object __weakref__
    cdef list _answers
    cdef list _numbered
    cdef dict _known_zones
    cdef dict _known_routes
    cdef tuple _opts
    cdef tuple _refusals
    cdef object _tally
    cdef int _payload
    cdef bint _client_subnet
    cdef bytes _secrets  # of cookies, one after the other
    cdef bytes _nsid  # the option
    cdef public Py_ssize_t room  # octets left for what is kept of large answers and chains
    cdef int _nsid_size  # 0: it is not told
    cdef void *_memory

    cdef void read(self, int number, const unsigned char *packet, Py_ssize_t size) noexcept
    cdef void fetch(self, int number) noexcept
    cdef int answer(self, int number, address client, uint64_t draw, unsigned char *out) except -2
