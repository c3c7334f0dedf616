# What an answer takes beyond a choice: links before it, the client's network, a CNAME to follow.

cdef class CompiledSteps:
    """A Steps.

    hashed:  whether the client's network counts beyond the rule
    follows: whether the answer may be a CNAME that is followed
    links:   what stands before the answer; NULL: nothing
    number:  records in them
    soa:     in place of an answer without records
    owner:   of the answer's records
    source:  the Steps itself
    led:     from the records of a CNAME that was chosen to a Led; None: nothing can be kept
    """

    cdef bint hashed
    cdef bint follows
    cdef const unsigned char *links
    cdef Py_ssize_t size
    cdef int number
    cdef const unsigned char *soa
    cdef Py_ssize_t soa_size
    cdef unsigned char owner[2]
    cdef tuple held
    cdef object source
    cdef dict led

    def __cinit__(self, steps, bint keep):
        """steps: None: hashed, and nothing else; keep: whether this stays"""
        cdef bytes octets, owner, soa
        self.hashed, self.follows = True, False
        self.links = NULL
        if steps is None:
            return
        self.hashed, self.follows = steps.hashed, steps.follows
        if self.follows and keep:
            self.source, self.led = steps, {}
        if steps.links is None:
            return
        octets, self.number, owner, soa = self.held = tuple(steps.links)
        self.links, self.size = octets, len(octets)
        self.soa, self.soa_size = soa, len(soa)
        if len(owner) != 2:
            raise ValueError("a pointer has 2 octets")
        memcpy(self.owner, PyBytes_AS_STRING(owner), 2)

cdef enum:
    MOST_LED = 64  # different CNAMEs of an answer that are kept: a TTL that moves makes one each second

cdef CompiledSteps ONLY_HASHED = CompiledSteps(None, False)

cdef class Led:
    """Where a chosen CNAME leads.

    stops: no further than to itself
    entry: what answers there; it points into the entry that leads to it, which holds this
    """

    cdef bint stops
    cdef Entry entry
    cdef object held  # what it points at beside


cdef Led lead(FastCache cache, const Entry *entry, const Outcome *outcome):
    """Return where a CNAME leads that was chosen for an entry; None: the pure path tells."""
    cdef CompiledSteps steps = <CompiledSteps>entry.steps
    cdef PyObject *known
    cdef Led led
    if steps.led is None or outcome.size > MOST_RECORDS:
        return None
    records = PyBytes_FromStringAndSize(<char *>outcome.records, outcome.size)
    known = PyDict_GetItemWithError(steps.led, records)
    if known != NULL:
        return <Led>known
    if len(steps.led) >= MOST_LED:
        cache.room += CHAIN_OCTETS * number_led(steps)
        steps.led.clear()
    if not afford(cache, CHAIN_OCTETS):
        return None
    led = Led()
    found = steps.source.onward(records, entry.route != NULL, cache.snapshot)
    if found is None:
        led.stops = True
    else:
        fill_led(cache, led, entry, found[0], found[1])
    steps.led[records] = led
    return led


cdef Py_ssize_t number_led(CompiledSteps steps) except -1:
    """Return how many CNAMEs are followed from here on, and from where they lead."""
    cdef Py_ssize_t number = len(steps.led)
    cdef Led led
    for led in steps.led.values():
        if led.entry.steps != NULL and (<CompiledSteps>led.entry.steps).led is not None:
            number += number_led(<CompiledSteps>led.entry.steps)
    return number


cdef int fill_led(FastCache cache, Led led, const Entry *before, end, following) except -1:
    cdef CompiledSteps steps
    cdef CompiledRoute route = None
    cdef Entry *entry = &led.entry
    memcpy(entry.flags, before.flags, 4)
    entry.opt, entry.opt_size = before.opt, before.opt_size
    entry.base = before.base
    if following is None:
        led.held = end.leaf
        set_outcome(&entry.outcome, end.leaf)
        entry.flags[1] |= <int>end.rcode
        entry.kind = ENTRY_LEAF
        return 0
    found, numbers, _ = parts_of(end.entry)
    steps = CompiledSteps(following, True)
    if found is not EVERYONE:
        route = route_of(cache, found)
    led.held = numbers, steps, route
    set_choice(entry, numbers, route)
    entry.steps = <PyObject *>steps
    return 0


cdef int settle(
    FastCache cache, uint64_t draw, Tail *tail, Outcome *outcome
) except -1:
    """Choose, and follow what was chosen, as `settle` of steps.py; 0: the pure path has to.

    tail: its entry becomes the one that answers at the end, and its scope that of all choices
    """
    cdef Memory *memory = <Memory *>cache._memory
    cdef const Question *question = tail.question
    cdef const Entry *entry = tail.entry
    cdef const Choice *choice
    cdef address client
    cdef long long tag = 0
    cdef int scope
    cdef bint was_led = False
    cdef Led led
    while True:
        tail.entry = entry
        if entry.kind == ENTRY_LEAF:
            outcome[0] = entry.outcome
            if was_led and not entry.flags[1]:
                outcome.tag = tag
            return 1
        scope = 0
        choice = choice_of(cache, rule_number(memory, entry, question, tail.client, &scope))
        if choice.kind == IN_PYTHON:
            return 0
        if entry.steps != NULL and (<CompiledSteps>entry.steps).hashed:
            client = hashed_client(memory, question, tail.client, choice.by_client, &scope)
            choose(choice, draw, &client, outcome, memory.scratch)
        else:
            choose(choice, draw, NULL, outcome, memory.scratch)
        tail.scope = max(scope, tail.scope)
        if not was_led:
            tag = outcome.tag
        elif outcome.records != NULL or outcome.counts[1] == 0:  # SERVFAIL is counted as itself
            outcome.tag = tag
        if entry.steps == NULL or not outcome.leads or not (<CompiledSteps>entry.steps).follows:
            return 1
        led = lead(cache, entry, outcome)
        if led is None:
            return 0
        if led.stops:
            return 1
        was_led = True
        draw = split_draw(draw)
        entry = &led.entry
