# From a question that is not in the table to what answers it, and what is counted.

cdef int tally(FastCache cache, long long tag) except -1:
    cdef Memory *memory = <Memory *>cache._memory
    cdef uint64_t mixed = <uint64_t>tag * <uint64_t>0x9E3779B97F4A7C15
    cdef Counted *counted = &memory.counted[mixed >> 51]
    if counted.tag != tag:
        pour(cache, counted)
        counted.tag = tag
    counted.number += 1
    return 0


cdef int pour(FastCache cache, Counted *counted) except -1:
    cdef uint64_t number = counted.number
    counted.number = 0
    if number:
        cache._tally[counted.tag] += number
    return 0


cdef Choice *choice_of(FastCache cache, long long number) except NULL:
    """Return the answer that has this number now."""
    cdef Memory *memory = <Memory *>cache._memory
    cdef Choice *choice
    if number < 0 or <size_t>number >= memory.answers or number >= PyList_GET_SIZE(cache._answers):
        raise IndexError("no answer has this number")
    choice = memory.choices[number]
    if choice == NULL or choice.answer != PyList_GET_ITEM(cache._answers, number):
        memory.choices[number] = NULL
        free_choice(choice)
        choice = new_choice(<object>PyList_GET_ITEM(cache._answers, number))
        memory.choices[number] = choice
    return choice


cdef Entry *missed(FastCache cache, Question *question) except? NULL:
    """Return what answers a question that is not in the table; NULL: the pure path.

    A name that exists is prepared by the reference, and kept.
    """
    cdef Memory *memory = <Memory *>cache._memory
    cdef CompiledZone zone
    cdef bint exists = False
    if question.qclass != IN or question.qtype in (AXFR, IXFR):
        return NULL
    zone = zone_of(cache, question)
    if zone is None:
        return refusing_entry(memory, question, cache._refusals)
    node = zone.lookup(question, &exists)
    if node is None:
        return negative_entry(memory, zone, question, True, zone.base, cache._opts)
    if exists and memory.count < memory.bound:
        return kept(cache, question)
    if question.qtype in (DS, ANY):
        return NULL
    return walked(cache, question, zone, node)


cdef Entry *kept(FastCache cache, Question *question) except? NULL:
    """Let the reference prepare for a question, and keep that."""
    cdef Memory *memory = <Memory *>cache._memory
    packet = plain_packet(question)
    prepared = prepare(packet, parse_query(packet), cache.snapshot, None)
    if prepared.end != question.end or prepared.limit != question.limit:
        raise ValueError("the compiled path and the pure one read a question differently")
    if not prepared.keep:
        return NULL
    return insert_entry(memory, question, prepared, route_of(cache, prepared.route))


cdef CompiledRoute route_of(FastCache cache, route):
    if route is None:
        return None
    known = cache._known_routes.get(route)
    if known is None:
        known = cache._known_routes[route] = CompiledRoute(route)
    return known


cdef CompiledZone zone_of(FastCache cache, const Question *question):
    """As `Snapshot.zone_of`."""
    cdef PyObject *zone
    cdef PyObject *known
    cdef int at = 0
    while at < question.name_size - cache._longest_apex:
        at += 1 + question.key[at]
    while True:
        name = name_from(question, at)
        zone = PyDict_GetItemWithError(cache._zones, name)
        if zone != NULL:
            known = PyDict_GetItemWithError(cache._known_zones, <object>zone)
            if known != NULL:
                return <CompiledZone>known
            return cache._known_zones.setdefault(<object>zone, CompiledZone(<object>zone))
        if question.key[at] == 0:
            return None
        at += 1 + question.key[at]


cdef Entry *walked(FastCache cache, Question *question, CompiledZone zone, node) except? NULL:
    """Return what answers from a node, for names by wildcards and where nothing more is kept."""
    cdef Memory *memory = <Memory *>cache._memory
    cdef Entry *entry
    cdef tuple numbers
    cdef CompiledRoute route
    if type(node) is not Node or node.referral is not None or node.cname is not None:
        return NULL
    for qtype, found in node.types:
        if qtype == question.qtype:
            break
    else:
        return negative_entry(memory, zone, question, False, node.base, cache._opts)
    if type(found) is bytes:
        return record_entry(memory, question, found, node.base, cache._opts)
    if type(found) is not int and (type(found) is not Routed or found.hashed):
        return NULL
    entry = blank_entry(memory, question, node.base, cache._opts)
    if type(found) is int:
        entry.number = found
        return entry
    numbers, route = found.numbers, route_of(cache, found.route)
    entry.rules = len(numbers)
    entry.numbers, entry.route = <PyObject *>numbers, <PyObject *>route  # the cache holds both
    return entry
