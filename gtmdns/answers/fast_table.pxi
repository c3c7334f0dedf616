# What is prepared for questions, in one table of a bounded number of entries, and how it is told.

cdef enum:
    ENTRY_LEAF = 0  # always the same outcome
    ENTRY_CHOICE = 1  # an answer by its number, or one for each rule of a route
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
    PyObject *steps  # a CompiledSteps; NULL: nothing but a choice
    PyObject *zone  # a CompiledZone, whose SOA stands in place of records; NULL: none
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
    name_index index
    bint released  # from then on no index is built
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
    Py_XDECREF(memory.passing.held)
    index_close(&memory.index)
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
    Memory *memory, const Question *question, object prepared, CompiledRoute route,
    CompiledSteps steps, CompiledZone zone,
) except NULL:
    """Keep what was prepared for a question, in a table that is never more than half full."""
    cdef Entry *entry
    if 2 * <size_t>memory.count > memory.mask:
        widen(memory)
    entry = <Entry *>calloc(1, sizeof(Entry) + question.key_size)
    if entry == NULL:
        raise MemoryError
    try:
        fill_entry(entry, prepared, route, steps, zone)
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


cdef int fill_entry(
    Entry *entry, object prepared, CompiledRoute route, CompiledSteps steps, CompiledZone zone
) except -1:
    cdef bytes flags = prepared.flags, opt = prepared.opt
    cdef tuple numbers = prepared.numbers
    leaf = prepared.leaf
    held = (opt, numbers, leaf, route, steps, zone)
    entry.held = <PyObject *>held
    Py_INCREF(held)
    if len(flags) != 4:
        raise ValueError("flags and QDCOUNT have 4 octets")
    memcpy(entry.flags, PyBytes_AS_STRING(flags), 4)
    entry.opt, entry.opt_size = opt, len(opt)
    entry.base = prepared.base
    entry.route = entry.steps = entry.zone = NULL
    if leaf is not None:
        set_outcome(&entry.outcome, leaf)
        entry.kind = ENTRY_LEAF
        if entry.outcome.records == NULL:
            raise ValueError("only a steered name is left without records")
        return 0
    if steps is not None:
        entry.steps = <PyObject *>steps
    if zone is not None:
        entry.zone = <PyObject *>zone
    return set_choice(entry, numbers, route)


cdef int set_choice(Entry *entry, tuple numbers, CompiledRoute route) except -1:
    """Set an answer by its number, or one for each rule of a route. Both have to be held."""
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
    entry.route = entry.steps = entry.zone = NULL
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
    entry.outcome = Outcome(NO_COUNTS, NO_COUNTS_OPT, NO_COUNTS, 0, TAG_REFUSED, False)
    return entry


cdef Entry *record_entry(
    Memory *memory, const Question *question, const unsigned char *record, Py_ssize_t size,
    long long base, tuple opts,
):
    """Return the passing entry for one static record, which the snapshot holds."""
    cdef Entry *entry = blank_entry(memory, question, base, opts)
    entry.kind = ENTRY_LEAF
    entry.outcome = Outcome(ONE_RECORD, ONE_RECORD_OPT, record, size, TAG_STATIC, False)
    return entry
