# All names of a snapshot in one table, so that one costs as much among a million as among a hundred.
#
# It is built in slices after the snapshot serves, and meanwhile names are found in the dicts of
# zones (fast_zone.pxi). It points at what those dicts hold, so it is closed before they are emptied.
# A name stands in it for the zone that answers for it alone: the one with the longest apex. So the
# first of a name and the names above it that is here tells the zone too.

cdef enum:
    BUILD_STEP = 2_000  # names, or dicts, in one turn of the loop: about 0.5 ms
    PAGE = 4096  # octets that the kernel clears at once; 2 MiB where it gives large pages
    BETWEEN = 2 << 20  # octets of the index that are cleared in one turn of the loop
    MOST_ZONES = 0xFFFF  # that have a number of their own here


cdef bint put_name(Memory *memory, PyObject *name, PyObject *found, Py_ssize_t number) except -1:
    """Put one name into the index; False: there is no room for what points at it."""
    cdef uint64_t digest = siphash13(
        memory.secret,
        <const unsigned char *>PyBytes_AS_STRING(<object>name),
        PyBytes_GET_SIZE(<object>name),
    )
    return index_put(
        &memory.index, digest, name, found, type(<object>found) is bytes, min(number, MOST_ZONES)
    )


def built(FastCache cache):
    """Build the index in slices: a generator. It ends early where the cache is released."""
    cdef Memory *memory = <Memory *>cache._memory
    cdef Py_ssize_t number, at
    cdef uint64_t names = 0, touched = 0
    cdef PyObject *name
    cdef PyObject *found
    cdef int left = BUILD_STEP
    if memory.index.complete or memory.released:
        return
    zones, outer = list(cache.snapshot.zones.values()), set()
    for zone in zones:
        names += sum(map(len, zone.shards))
        memory.index.longest = max(memory.index.longest, <uint64_t>zone.longest)
        note_above(zone.apex, cache.snapshot.zones, outer)
        left -= len(zone.shards)
        if left < 0:
            yield
            left = BUILD_STEP
            if memory.released:
                return
    if names + len(zones) > BUILD_STEP:  # so that nothing is begun for who takes one slice alone
        yield
        if memory.released:
            return
    if not index_open(&memory.index, names):
        return
    while index_touch(&memory.index, touched):
        touched += PAGE
        if touched % BETWEEN == 0:
            yield
            if memory.released:
                return
    for number, zone in enumerate(zones):
        checked = zone.apex in outer
        for shard in zone.shards:
            at = 0
            left -= 1
            while PyDict_Next(shard, &at, &name, &found):
                left -= 1
                if checked and cache.snapshot.zone_of(<object>name) is not zone:
                    continue
                if not put_name(memory, name, found, number):
                    return
                if left < 0:
                    yield
                    left = BUILD_STEP
                    if memory.released:
                        return
    cache._numbered = zones
    memory.index.complete = True


def note_above(apex, zones, set outer):
    """Add to `outer` the apexes above this one."""
    while apex != ROOT:
        apex = apex[1 + apex[0]:]
        if apex in zones:
            outer.add(apex)


cdef Entry *indexed(FastCache cache, Question *question) except? NULL:
    """As `missed`, by the index."""
    cdef Memory *memory = <Memory *>cache._memory
    cdef const unsigned char *record
    cdef size_t size = 0
    cdef CompiledZone zone
    cdef const slot *at = index_find(
        &memory.index, question.name_hash, question.key, question.name_size
    )
    if at == NULL:
        return below(cache, question)
    if has_records(at) and question.qtype not in (DS, ANY):
        zone = zone_in(cache, at, question)
        record = record_of(found_at(at), question.qtype, &size)
        if record == NULL:
            return negative_entry(memory, zone, question, False, zone.static_base, cache._opts)
        return record_entry(memory, question, record, size, zone.static_base, cache._opts)
    if memory.count < memory.bound:
        return prepared_entry(cache, question, True)
    if has_records(at) or question.qtype in (DS, ANY):
        return prepared_entry(cache, question, False)
    return walked(cache, question, zone_in(cache, at, question), <object>found_at(at))


cdef Entry *below(FastCache cache, Question *question) except? NULL:
    """Return what answers for a name that does not exist, by the closest one above that does."""
    cdef Memory *memory = <Memory *>cache._memory
    cdef int at = 1 + question.key[0], rest
    cdef const slot *found
    cdef uint64_t digest
    while at < question.name_size - <int>memory.index.longest:
        at += 1 + question.key[at]
    while at < question.name_size:
        rest = question.name_size - at
        digest = siphash13(memory.secret, question.key + at, rest)
        found = index_find(&memory.index, digest, question.key + at, rest)
        if found != NULL:
            return by_encloser(cache, question, found)
        at += 1 + question.key[at]
    return refusing_entry(memory, question, cache._refusals)


cdef Entry *by_encloser(FastCache cache, Question *question, const slot *at) except? NULL:
    cdef Memory *memory = <Memory *>cache._memory
    cdef CompiledZone zone = zone_in(cache, at, question)
    node = None
    if not has_records(at):
        node = <object>found_at(at)
        if node.referral is None and node.dname is None:
            node = node.wildcard
    if node is None:
        return negative_entry(memory, zone, question, True, zone.base, cache._opts)
    if question.qtype in (DS, ANY):
        return prepared_entry(cache, question, False)
    return walked(cache, question, zone, node)


cdef CompiledZone zone_in(FastCache cache, const slot *at, const Question *question):
    """Return the zone that a slot belongs to."""
    cdef uint64_t number = zone_at(at)
    if number == MOST_ZONES:
        return known_zone(cache, cache.snapshot.zone_of(name_from(question, 0)))
    return known_zone(cache, <object>PyList_GET_ITEM(cache._numbered, number))
