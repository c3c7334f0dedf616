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
        choice = new_choice(<object>PyList_GET_ITEM(cache._answers, number), cache.snapshot)
        memory.choices[number] = choice
    return choice


cdef Entry *missed(FastCache cache, Question *question) except? NULL:
    """Return what answers a question that is not in the table; NULL: the pure path.

    A name that exists is prepared by the reference, and kept.
    """
    cdef Memory *memory = <Memory *>cache._memory
    cdef CompiledZone zone
    if question.qclass != IN or question.qtype in (AXFR, IXFR):
        return NULL
    if memory.index.complete:
        return indexed(cache, question)
    found = cache.snapshot.zone_of(name_from(question, 0))
    if found is None:
        return refusing_entry(memory, question, cache._refusals)
    zone = known_zone(cache, found)
    node, exists = found.lookup(name_from(question, 0))
    if node is None:
        return negative_entry(memory, zone, question, True, zone.base, cache._opts)
    if exists and memory.count < memory.bound:
        return prepared_entry(cache, question, True)
    if question.qtype in (DS, ANY):
        return prepared_entry(cache, question, False)
    return walked(cache, question, zone, node)


cdef Entry *prepared_entry(FastCache cache, Question *question, bint keep) except NULL:
    """Let the reference prepare for a question; keep that where asked to, and there is room."""
    cdef Memory *memory = <Memory *>cache._memory
    cdef CompiledRoute route = None
    cdef CompiledSteps steps = None
    cdef CompiledZone zone = None
    packet = plain_packet(question)
    prepared = prepare(packet, parse_query(packet), cache.snapshot, None)
    if prepared.end != question.end or prepared.limit != question.limit:
        raise ValueError("the compiled path and the pure one read a question differently")
    if keep and not prepared.keep:
        keep = afford(cache, large_octets(prepared))
    if prepared.steps is not None:
        steps = CompiledSteps(prepared.steps, keep)
    if prepared.route is not EVERYONE:
        route = route_of(cache, prepared.route)
    if prepared.zone is not None:
        zone = known_zone(cache, prepared.zone)
    if keep:
        return insert_entry(memory, question, prepared, route, steps, zone)
    hold_passing(memory, None)
    fill_entry(&memory.passing, prepared, route, steps, zone)
    return &memory.passing


cdef int hold_passing(Memory *memory, object what) except -1:
    """Hold what the passing entry points at, until there is another one. None: nothing yet."""
    cdef PyObject *before = memory.passing.held
    memory.passing.held = NULL
    if what is not None:
        Py_INCREF(what)
        memory.passing.held = <PyObject *>what
    Py_XDECREF(before)
    return 0


cdef Py_ssize_t large_octets(prepared) except -1:
    """Return what keeping takes that is more than `Prepared.keep` allows, about."""
    if prepared.leaf is not None:
        return len(prepared.leaf[2])
    return CHAIN_OCTETS + len(prepared.steps.links.octets)


cdef bint afford(FastCache cache, Py_ssize_t octets) noexcept:
    """Take so much of the room for what is large; False: there is no more."""
    if octets > cache.room:
        return False
    cache.room -= octets
    return True


cdef CompiledRoute route_of(FastCache cache, route):
    if route is None:
        return None
    known = cache._known_routes.get(route)
    if known is None:
        known = cache._known_routes[route] = CompiledRoute(route)
    return known


cdef CompiledZone known_zone(FastCache cache, zone):
    cdef PyObject *known = PyDict_GetItemWithError(cache._known_zones, zone)
    if known != NULL:
        return <CompiledZone>known
    return cache._known_zones.setdefault(zone, CompiledZone(zone))


cdef Entry *walked(FastCache cache, Question *question, CompiledZone zone, node) except? NULL:
    """Return what answers from a node, for names by wildcards and where nothing more is kept."""
    cdef Memory *memory = <Memory *>cache._memory
    cdef Entry *entry
    if node.referral is not None:
        return referring_entry(cache, question, node)
    if type(node) is not Node or node.cname is not None:
        return prepared_entry(cache, question, False)
    for qtype, found in node.types:
        if qtype == question.qtype:
            break
    else:
        return negative_entry(memory, zone, question, False, node.base, cache._opts)
    if type(found) is bytes:  # of a node that may be made for this question alone
        hold_passing(memory, found)
        return record_entry(memory, question, <bytes>found, len(found), node.base, cache._opts)
    if type(found) is not int and type(found) is not Routed:
        return prepared_entry(cache, question, False)
    entry = blank_entry(memory, question, node.base, cache._opts)
    entry.zone = <PyObject *>zone  # the cache holds it
    if type(found) is int:
        entry.number = found
        return entry
    if found.hashed:
        entry.steps = <PyObject *>ONLY_HASHED
    set_choice(entry, found.numbers, route_of(cache, found.route))  # the cache holds both
    return entry


cdef Entry *referring_entry(FastCache cache, Question *question, node) except NULL:
    """Return the passing entry for a name below a zone cut, as `Referral.leaf`."""
    cdef Memory *memory = <Memory *>cache._memory
    cdef Entry *entry
    cdef bytes pointers
    cdef const uint32_t *places
    cdef size_t number
    cdef int more = question.name_size - <int>len(node.referral.cut), at
    leaf, pointers = node.referral.parts()
    if more < 0 or len(leaf[2]) > MOST_RECORDS:
        return prepared_entry(cache, question, False)
    entry = blank_entry(memory, question, node.base, cache._opts)
    entry.kind = ENTRY_LEAF
    entry.flags[0] &= ~AA
    set_outcome(&entry.outcome, leaf)  # the referral holds it
    memcpy(memory.scratch, entry.outcome.records, entry.outcome.size)
    entry.outcome.records = memory.scratch
    places = <const uint32_t *>PyBytes_AS_STRING(pointers)
    for number in range(PyBytes_GET_SIZE(pointers) // sizeof(uint32_t)):
        at = two_octets(memory.scratch + places[number]) + more
        memory.scratch[places[number]] = at >> 8
        memory.scratch[places[number] + 1] = at & 0xFF
    return entry
