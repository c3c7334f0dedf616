# What is prepared for questions, in one table of a bounded number of entries, and how it is told.

cdef enum:
    ENTRY_LEAF = 0  # always the same outcome
    ENTRY_CHOICE = 1  # an answer by its number, or one for each rule of a route
    ENTRY_PURE = 2  # the pure path answers
    SOA_OCTETS = 1024
    FIRST_SLOTS = 256  # a table that is larger than it need be is out of the processor's caches
    AA = 0x04
    QR = 0x80

cdef struct Entry:
    int kind
    int rules  # how many numbers there are
    int opt_size
    int key_size
    uint64_t hash
    long long base  # added to the tags for counting
    long long number  # of the answer, where `route` is NULL
    PyObject *route  # a CompiledRoute
    PyObject *numbers  # a tuple
    PyObject *held  # what the places here are in; NULL: the snapshot or the cache holds it
    const unsigned char *opt
    Outcome outcome
    unsigned char flags[4]  # octets 2 to 5 of the response
    unsigned char key[1]  # key_size of them

cdef struct Counted:
    long long tag
    uint64_t number

cdef struct Memory:
    uint64_t secret[2]
    size_t mask  # slots - 1
    Py_ssize_t count
    Py_ssize_t bound
    Entry **slots
    size_t answers
    Choice **choices  # by number; NULL: not asked for yet
    size_t number_bounds
    address *bounds  # where space that is not placed begins and ends, see Snapshot.unplaced
    Question questions[MOST_READ]
    Entry passing  # of the question at hand, where it is not kept
    Counted counted[COUNTED]
    unsigned char soa[SOA_OCTETS]
    unsigned char scratch[MOST_RECORDS]

cdef bytes NEGATIVE_COUNTS = bytes((0, 0, 0, 1, 0, 0))
cdef bytes NEGATIVE_COUNTS_OPT = bytes((0, 0, 0, 1, 0, 1))
cdef bytes ONE_RECORD = bytes((0, 1, 0, 0, 0, 0))
cdef bytes ONE_RECORD_OPT = bytes((0, 1, 0, 0, 0, 1))
cdef bytes NO_COUNTS = bytes(6)
cdef bytes NO_COUNTS_OPT = bytes((0, 0, 0, 0, 0, 1))


cdef Memory *new_memory(object snapshot, Py_ssize_t bound) except NULL:
    cdef Memory *memory = <Memory *>calloc(1, sizeof(Memory))
    cdef size_t at
    if memory == NULL:
        raise MemoryError
    try:
        memory.mask, memory.bound = FIRST_SLOTS - 1, bound
        memory.slots = <Entry **>room_for(FIRST_SLOTS, sizeof(Entry *))
        memory.choices = <Choice **>room_for(len(snapshot.answers), sizeof(Choice *))
        memory.answers = len(snapshot.answers)
        memory.bounds = <address *>room_for(len(snapshot.unplaced), sizeof(address))
        memory.number_bounds = len(snapshot.unplaced)
        for at in range(memory.number_bounds):
            memory.bounds[at] = address_of(snapshot.unplaced[at])
        secret = os.urandom(16)
        memcpy(memory.secret, PyBytes_AS_STRING(secret), 16)
    except BaseException:
        free_memory(memory)
        raise
    return memory


cdef void free_memory(Memory *memory) noexcept:
    cdef size_t at
    if memory == NULL:
        return
    if memory.slots != NULL:
        for at in range(memory.mask + 1):
            drop_slot(memory, at)
    for at in range(memory.answers):
        free_choice(memory.choices[at])
    free(memory.slots)
    free(memory.choices)
    free(memory.bounds)
    free(memory)


cdef Py_ssize_t drop_slot(Memory *memory, size_t at) noexcept:
    """Free what is in a slot; return how many entries that was."""
    cdef Entry *entry = memory.slots[at]
    if entry == NULL:
        return 0
    memory.slots[at] = NULL
    memory.count -= 1
    free_entry(entry)
    return 1


cdef void free_entry(Entry *entry) noexcept:
    Py_XDECREF(entry.held)
    free(entry)


cdef Entry *find_entry(const Memory *memory, const Question *question) noexcept nogil:
    cdef size_t at = question.hash & memory.mask
    cdef Entry *entry = memory.slots[at]
    while entry != NULL:
        if (
            entry.hash == question.hash
            and entry.key_size == question.key_size
            and memcmp(entry.key, question.key, question.key_size) == 0
        ):
            return entry
        at = (at + 1) & memory.mask
        entry = memory.slots[at]
    return NULL


cdef inline void prefetch_entry(const Entry *entry) noexcept nogil:
    if entry != NULL:
        prefetch(entry)
        prefetch(<const unsigned char *>entry + 64)
        prefetch(<const unsigned char *>entry + 128)


cdef Entry *insert_entry(
    Memory *memory, const Question *question, object prepared, CompiledRoute route
) except NULL:
    """Keep what was prepared for a question, in a table that is never more than half full."""
    cdef Entry *entry
    if 2 * <size_t>memory.count > memory.mask:
        widen(memory)
    entry = <Entry *>calloc(1, sizeof(Entry) + question.key_size)
    if entry == NULL:
        raise MemoryError
    try:
        fill_entry(entry, prepared, route)
    except BaseException:
        free_entry(entry)
        raise
    entry.hash, entry.key_size = question.hash, question.key_size
    memcpy(entry.key, question.key, question.key_size)
    place_entry(memory, entry)
    memory.count += 1
    return entry


cdef void place_entry(Memory *memory, Entry *entry) noexcept nogil:
    cdef size_t at = entry.hash & memory.mask
    while memory.slots[at] != NULL:
        at = (at + 1) & memory.mask
    memory.slots[at] = entry


cdef int widen(Memory *memory) except -1:
    """Double the table: a millisecond for the largest, and that seldom."""
    cdef Entry **before = memory.slots
    cdef size_t slots = memory.mask + 1, at
    memory.slots = <Entry **>room_for(2 * slots, sizeof(Entry *))
    memory.mask = 2 * slots - 1
    for at in range(slots):
        if before[at] != NULL:
            place_entry(memory, before[at])
    free(before)
    return 0


cdef int fill_entry(Entry *entry, object prepared, CompiledRoute route) except -1:
    cdef bytes flags = prepared.flags, opt = prepared.opt
    cdef tuple numbers = prepared.numbers
    leaf = prepared.leaf
    held = (opt, numbers, leaf, route)
    entry.held = <PyObject *>held
    Py_INCREF(held)
    if len(flags) != 4:
        raise ValueError("flags and QDCOUNT have 4 octets")
    memcpy(entry.flags, PyBytes_AS_STRING(flags), 4)
    entry.opt, entry.opt_size = opt, len(opt)
    entry.base = prepared.base
    entry.kind = ENTRY_PURE
    if prepared.steps is not None:
        return 0
    if leaf is not None:
        set_outcome(&entry.outcome, leaf)
        if entry.outcome.records != NULL:
            entry.kind = ENTRY_LEAF
        return 0
    entry.kind = ENTRY_CHOICE
    if route is None:
        entry.number = numbers[0]
        return 0
    entry.route, entry.numbers = <PyObject *>route, <PyObject *>numbers
    entry.rules = len(numbers)
    return 0


cdef Entry *blank_entry(Memory *memory, const Question *question, long long base, tuple opts):
    """Return the passing entry for an answer by its number, which is still to be set."""
    cdef Entry *entry = &memory.passing
    cdef bytes opt
    entry.kind = ENTRY_CHOICE
    entry.route = NULL
    entry.base = base
    entry.opt, entry.opt_size = NULL, 0
    if question.edns:
        opt = opts[question.dnssec_ok]
        entry.opt, entry.opt_size = opt, len(opt)
    entry.flags[0] = QR | AA | (question.packet[2] & 1)
    entry.flags[1] = entry.flags[2] = 0
    entry.flags[3] = 1
    return entry


cdef Entry *refusing_entry(Memory *memory, const Question *question, tuple opts):
    """Return the passing entry for a name in no zone of ours."""
    cdef Entry *entry = blank_entry(memory, question, 0, opts)
    entry.kind = ENTRY_LEAF
    entry.flags[0] &= ~AA
    entry.flags[1] = 5
    entry.outcome = Outcome(NO_COUNTS, NO_COUNTS_OPT, NO_COUNTS, 0, tags.REFUSED)
    return entry


cdef Entry *record_entry(
    Memory *memory, const Question *question, bytes record, long long base, tuple opts
):
    """Return the passing entry for one static record, which the snapshot holds."""
    cdef Entry *entry = blank_entry(memory, question, base, opts)
    entry.kind = ENTRY_LEAF
    entry.outcome = Outcome(ONE_RECORD, ONE_RECORD_OPT, record, len(record), tags.STATIC)
    return entry


cdef long long rule_number(
    const Memory *memory, const Entry *entry, const Question *question, address client, int *scope
) except? -1:
    """Return the number of the answer for a client, as `rule_of` of scope.py."""
    cdef const intervals *route
    cdef int rule
    if entry.route == NULL:
        return entry.number
    route = &(<CompiledRoute>entry.route).columns
    if question.subnet and question.source:
        rule = rule_for_subnet(
            route, client, question.shown, memory.bounds, memory.number_bounds, scope
        )
    else:
        rule = find_rule(route, client)
    if rule >= entry.rules:
        raise IndexError("a route has a rule without an answer")
    return <object>PyTuple_GET_ITEM(<object>entry.numbers, rule)


cdef int write_response(
    const Entry *entry, const Outcome *outcome, const Question *question, int scope,
    unsigned char *out,
) noexcept nogil:
    """As `Prepared.render`; NOT_HERE where the response is too long as it is."""
    cdef int asked = question.end - HEADER, option = 0, size
    if question.subnet:
        option = 8 + question.octets
    if outcome.size > MOST_OCTETS:
        return NOT_HERE
    size = question.end + <int>outcome.size + entry.opt_size + option
    if size > question.limit or size > MOST_OCTETS:
        return NOT_HERE
    memcpy(out, question.packet, 2)
    memcpy(out + 2, entry.flags, 4)
    memcpy(out + 6, outcome.counts_opt if entry.opt_size else outcome.counts, 6)
    memcpy(out + HEADER, question.packet + HEADER, asked)
    out += question.end
    memcpy(out, outcome.records, outcome.size)
    out += outcome.size
    if entry.opt_size:
        memcpy(out, entry.opt, entry.opt_size)
        if option:
            write_subnet(out, entry.opt_size, question, scope)
    return size


cdef void write_subnet(
    unsigned char *opt, int opt_size, const Question *question, int scope
) noexcept nogil:
    """Add the Client Subnet option to an OPT, as `subnet_option`. scope: of the 128 bits."""
    cdef int length = two_octets(opt + 9) + 8 + question.octets
    opt[9], opt[10] = length >> 8, length & 0xFF
    opt += opt_size
    if question.family == 1:
        scope = max(0, scope - 96)
    opt[0], opt[1] = 0, CLIENT_SUBNET
    opt[2], opt[3] = 0, 4 + question.octets
    opt[4], opt[5] = 0, question.family
    opt[6], opt[7] = question.source, scope
    memcpy(opt + 8, question.shown_octets, question.octets)
