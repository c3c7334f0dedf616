# What the compiled path needs of a zone: the SOA of negative responses, and what is counted.

cdef class CompiledZone:
    """A Zone's numbers and octets. `apex_size`: octets."""

    cdef bytes soa  # with room for the pointers
    cdef int holes[4]
    cdef int number_holes
    cdef int apex_size
    cdef long long base
    cdef long long static_base

    def __cinit__(self, zone):
        self.apex_size = len(zone.apex)
        self.base = zone.base
        self.static_base = zone.static_base
        soa = bytearray()
        first, *others = zone._soa_parts
        if len(others) > 4:
            raise ValueError("a zone is not as the compiled path knows it")
        soa += first
        for part in others:
            self.holes[self.number_holes] = len(soa)
            self.number_holes += 1
            soa += b"\xc0\x00" + part
        self.soa = bytes(soa)

    cdef Py_ssize_t write_soa(self, const Question *question, unsigned char *out) noexcept:
        """As `Zone.soa`; return the octets written, 0 where there is no room for them."""
        cdef int number, apex = HEADER + question.name_size - self.apex_size
        cdef Py_ssize_t size = PyBytes_GET_SIZE(self.soa)
        if size > SOA_OCTETS:
            return 0
        memcpy(out, PyBytes_AS_STRING(self.soa), size)
        for number in range(self.number_holes):
            out[self.holes[number]] = 0xC0 | apex >> 8
            out[self.holes[number] + 1] = apex & 0xFF
        return size


cdef Entry *negative_entry(
    Memory *memory, CompiledZone zone, const Question *question, bint nxdomain, long long base,
    tuple opts,
) except? NULL:
    """Return the passing entry of NXDOMAIN or NODATA; NULL: the pure path has to tell it."""
    cdef Entry *entry = blank_entry(memory, question, base, opts)
    entry.kind = ENTRY_LEAF
    entry.flags[1] = 3 if nxdomain else 0
    entry.outcome.counts = NEGATIVE_COUNTS
    entry.outcome.counts_opt = NEGATIVE_COUNTS_OPT
    entry.outcome.records = memory.soa
    entry.outcome.size = zone.write_soa(question, memory.soa)
    entry.outcome.tag = TAG_NXDOMAIN if nxdomain else TAG_NODATA
    return entry if entry.outcome.size else NULL
