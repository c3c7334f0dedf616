# A zone as the compiled path walks it: the dicts of zone.py, and the SOA of negative responses.

cdef class CompiledZone:
    """A Zone with the numbers that a walk needs at hand.

    apex_size, longest: octets
    """

    cdef tuple shards
    cdef bytes soa  # with room for the pointers
    cdef int holes[4]
    cdef int number_holes
    cdef int apex_size
    cdef int longest
    cdef long long base

    def __cinit__(self, zone):
        self.shards = zone.shards
        self.apex_size = len(zone.apex)
        self.longest = zone.longest
        self.base = zone.base
        soa = bytearray()
        first, *others = zone._soa_parts
        if len(others) > 4 or len(self.shards) & (len(self.shards) - 1):
            raise ValueError("a zone is not as the compiled path knows it")
        soa += first
        for part in others:
            self.holes[self.number_holes] = len(soa)
            self.number_holes += 1
            soa += b"\xc0\x00" + part
        self.soa = bytes(soa)

    cdef object get(self, bytes name):
        """As `Zone.get`."""
        cdef PyObject *shard = PyTuple_GET_ITEM(
            self.shards, PyObject_Hash(name) & (len(self.shards) - 1)
        )
        cdef PyObject *node = PyDict_GetItemWithError(<object>shard, name)
        return None if node == NULL else <object>node

    cdef object lookup(self, const Question *question, bint *exists):
        """As `Zone.lookup`."""
        cdef int at = 1 + question.key[0]
        node = self.get(name_from(question, 0))
        exists[0] = node is not None
        if exists[0]:
            return node
        while at < question.name_size - self.longest:
            at += 1 + question.key[at]
        while at < question.name_size:
            node = self.get(name_from(question, at))
            if node is not None:
                if node.referral is not None or node.dname is not None:
                    return node
                return node.wildcard
            at += 1 + question.key[at]
        raise LookupError("a zone without its apex")

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
    entry.outcome.tag = tags.NXDOMAIN if nxdomain else tags.NODATA
    return entry if entry.outcome.size else NULL
