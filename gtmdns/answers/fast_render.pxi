# A response put together where it is sent from: `Prepared.render`, and `Links.chosen` of chain.py.

cdef struct Tail:  # the OPT record with its options
    const Question *question
    const Entry *entry
    address client
    int scope  # of the Client Subnet option, of the 128 bits
    int size
    bint cookie
    bint nsid
    int down  # that all endpoints are down: 0 not told, else before or behind the subnet

cdef enum:
    BEFORE_SUBNET = 1
    BEHIND_SUBNET = 2

cdef struct Body:  # what is put between head and tail
    unsigned char flags[4]
    unsigned char counts[6]
    const unsigned char *first
    Py_ssize_t first_size
    const unsigned char *records
    Py_ssize_t size


cdef inline void measure_tail(FastCache cache, const Entry *entry, const Question *question,
                              Tail *tail) noexcept:
    """Set the size of the tail, and what is in it, as `options_for` of options.py."""
    cdef int asked = 0
    tail.question, tail.entry = question, entry
    tail.cookie = tail.nsid = False
    tail.down = 0
    tail.size = entry.opt_size
    if not question.options:
        return
    if question.cookie != NULL and cache._secrets and cache.now >= 0:
        tail.cookie = True
        asked = 4 + COOKIE_WHOLE
    if question.nsid and cache._nsid_size:
        if asked + MOST_SUBNET + cache._nsid_size <= question.limit - question.end - tail.size:
            tail.nsid = True
            asked += cache._nsid_size
    tail.size += asked
    if question.subnet:
        tail.size += 8 + question.octets


cdef inline void tell_all_down(Tail *tail, Py_ssize_t others, int where) noexcept:
    """As `Prepared._tells_all_down`. others: octets to come, beside the tail that is measured."""
    cdef const Question *question = tail.question
    if not question.edns or question.end + others + tail.size + DOWN_SIZE > question.limit:
        return
    tail.down = where
    tail.size += DOWN_SIZE


cdef int render(
    FastCache cache, const Outcome *outcome, Tail *tail, unsigned char *out
) except -2:
    """Write a response; NOT_HERE: it does not fit the buffers here."""
    cdef const Question *question = tail.question
    cdef const Entry *entry = tail.entry
    cdef const unsigned char *counts = outcome.counts_opt if entry.opt_size else outcome.counts
    cdef Py_ssize_t size
    cdef Body body
    measure_tail(cache, entry, question, tail)
    if entry.steps == NULL and outcome.records != NULL:
        size = question.end + outcome.size + tail.size
        if size <= question.limit and size <= MOST_OCTETS:
            memcpy(out, question.packet, 2)
            memcpy(out + 2, entry.flags, 4)
            memcpy(out + 6, counts, 6)
            memcpy(out + HEADER, question.packet + HEADER, question.end - HEADER)
            memcpy(out + question.end, outcome.records, outcome.size)
            write_tail(cache, tail, out + question.end + outcome.size)
            return <int>size
    memcpy(body.flags, entry.flags, 4)
    memcpy(body.counts, counts, 6)
    body.first_size = 0
    body.records, body.size = outcome.records, outcome.size
    if entry.steps != NULL:
        if (<CompiledSteps>entry.steps).links != NULL and (outcome.records != NULL or outcome.counts[1] == 0):
            if not link(cache, <CompiledSteps>entry.steps, outcome, tail, &body):
                return NOT_HERE
            return write_response(cache, &body, tail, out)
    if outcome.records == NULL and not put_nothing(cache, outcome, tail, &body):
        return NOT_HERE
    return write_response(cache, &body, tail, out)


cdef bint link(
    FastCache cache, CompiledSteps steps, const Outcome *outcome, Tail *tail, Body *body
) noexcept:
    """As `Links.chosen`, and what `Prepared.settle` makes of it."""
    cdef unsigned char *octets = (<Memory *>cache._memory).scratch
    cdef int number = steps.number
    body.first, body.first_size = steps.links, steps.size
    set_counts(body, number, 1, tail)
    if outcome.records == NULL:
        body.records, body.size = steps.soa, steps.soa_size
        if outcome.counts[0]:
            tell_all_down(tail, steps.size + steps.soa_size + MOST_SUBNET - subnet_size(tail), BEFORE_SUBNET)
        return True
    if outcome.size > MOST_RECORDS:
        return False
    if outcome.records != octets:
        memcpy(octets, outcome.records, outcome.size)
    body.records, body.size = octets, outcome.size
    set_owners(octets, outcome.size, steps.owner)
    set_counts(body, number + two_octets(outcome.counts), 0, tail)
    return True


cdef bint put_nothing(FastCache cache, const Outcome *outcome, Tail *tail, Body *body) noexcept:
    """As `Prepared._without_records`. False: the SOA has no room here."""
    cdef Memory *memory = <Memory *>cache._memory
    cdef const Entry *entry = tail.entry
    cdef bint nodata = outcome.counts[1] == 0
    body.records, body.size = memory.soa, 0
    if nodata:
        if entry.zone == NULL:
            return False
        body.size = (<CompiledZone>entry.zone).write_soa(tail.question, memory.soa)
        if not body.size:
            return False
    else:
        body.flags[0] &= ~AA
        body.flags[1] |= outcome.counts[1]
    set_counts(body, 0, 1 if nodata else 0, tail)
    if outcome.counts[0] or not nodata:
        tell_all_down(tail, body.size, BEHIND_SUBNET)
    return True


cdef inline void set_counts(Body *body, int answer, int authority, const Tail *tail) noexcept:
    body.counts[0], body.counts[1] = answer >> 8, answer & 0xFF
    body.counts[2], body.counts[3] = 0, authority
    body.counts[4], body.counts[5] = 0, 1 if tail.entry.opt_size else 0


cdef inline int subnet_size(const Tail *tail) noexcept:
    return 8 + tail.question.octets if tail.question.subnet else 0


cdef int write_response(FastCache cache, Body *body, Tail *tail, unsigned char *out) except -2:
    """Write a response, shorter where it is too long: `Prepared._shortened`, message.truncated."""
    cdef const Question *question = tail.question
    cdef Py_ssize_t size = question.end + body.first_size + body.size + tail.size
    if size > question.limit:
        body.size = without_additional(body, tail)
        size = question.end + body.size + tail.size
        if body.size < 0 or size > question.limit:
            tally(cache, TAG_TRUNCATED)
            body.flags[0] |= TC
            body.size = 0
            set_counts(body, 0, 0, tail)
            size = question.end + tail.size
        body.first_size = 0
    if size > MOST_OCTETS:
        return NOT_HERE
    memcpy(out, question.packet, 2)
    memcpy(out + 2, body.flags, 4)
    memcpy(out + 6, body.counts, 6)
    memcpy(out + HEADER, question.packet + HEADER, question.end - HEADER)
    out += question.end
    if body.first_size:
        memcpy(out, body.first, body.first_size)
        out += body.first_size
    memcpy(out, body.records, body.size)
    write_tail(cache, tail, out + body.size)
    return <int>size


cdef Py_ssize_t without_additional(Body *body, const Tail *tail) noexcept:
    """As in short.py: return the octets of the answer section, -1: nothing may be left out."""
    cdef int own = 1 if tail.entry.opt_size else 0, answer = two_octets(body.counts)
    cdef Py_ssize_t size
    if two_octets(body.counts + 2) or two_octets(body.counts + 4) == own or body.first_size:
        return -1
    size = behind_records(body.records, body.size, answer)
    if size >= 0:
        set_counts(body, answer, 0, tail)
    return size


cdef void write_tail(FastCache cache, const Tail *tail, unsigned char *out) noexcept:
    """Write the OPT record, where there is one, with the options of the response."""
    cdef const Question *question = tail.question
    cdef int length = tail.size - OPT_OCTETS
    if not tail.size:
        return
    memcpy(out, tail.entry.opt, tail.entry.opt_size)
    if tail.size == tail.entry.opt_size:
        return
    out[9], out[10] = length >> 8, length & 0xFF
    out += tail.entry.opt_size
    if tail.cookie:
        out[0], out[1], out[2], out[3] = 0, COOKIE, 0, COOKIE_WHOLE
        write_cookie(
            <const unsigned char *>PyBytes_AS_STRING(cache._secrets),
            PyBytes_GET_SIZE(cache._secrets) // COOKIE_KEY,
            question.cookie, question.cookie_size, tail.client, cache.now, out + 4,
        )
        out += 4 + COOKIE_WHOLE
    if tail.nsid:
        memcpy(out, PyBytes_AS_STRING(cache._nsid), cache._nsid_size)
        out += cache._nsid_size
    if tail.down == BEFORE_SUBNET:
        memcpy(out, PyBytes_AS_STRING(DOWN), DOWN_SIZE)
        out += DOWN_SIZE
    if question.subnet:
        write_subnet(out, question, tail.scope)
        out += 8 + question.octets
    if tail.down == BEHIND_SUBNET:
        memcpy(out, PyBytes_AS_STRING(DOWN), DOWN_SIZE)


cdef inline void write_subnet(unsigned char *out, const Question *question, int scope) noexcept nogil:
    """As `subnet_option`. scope: of the 128 bits."""
    if question.family == 1:
        scope = max(0, scope - 96)
    out[0], out[1] = 0, CLIENT_SUBNET
    out[2], out[3] = 0, 4 + question.octets
    out[4], out[5] = 0, question.family
    out[6], out[7] = question.source, scope
    memcpy(out + 8, question.shown_octets, question.octets)
