# Answers and routes as the compiled path reads them: numbers and places of octets, no objects.
#
# A `Choice` copies the numbers of an answer and points at its octets, which live as long as the
# objects in `held`. A verdict puts another answer under the number (Snapshot.change); whoever holds
# a Choice compares `answer` with what stands there now.

cdef enum:
    IN_PYTHON = 0  # what only answer.py can choose: by the client, or with numbers too large
    FIXED = 1
    SHUFFLED = 2
    WEIGHTED = 3
    SEVERAL = 4
    NESTED = 5
    MOST_TAKEN = 64

cdef struct Outcome:
    const unsigned char *counts  # octets 6 to 11 of the header; with an OPT: `counts_opt`
    const unsigned char *counts_opt
    const unsigned char *records  # NULL: an answer without records
    Py_ssize_t size
    long long tag

cdef struct Choice:
    int kind
    PyObject *answer
    PyObject *held  # a tuple of what the places below are in
    uint64_t tickets
    uint64_t per_slot  # of the alias table; of SHUFFLED: records
    uint64_t *keep
    uint32_t *other
    uint64_t *weights
    uint32_t number  # of leaves, bases, records or answers
    uint32_t take
    Py_ssize_t size  # octets of a record of SHUFFLED; of SEVERAL: the most that it gives
    Outcome outcome  # of SHUFFLED and SEVERAL, all but the records
    Outcome *leaves
    Choice **answers


cdef Choice *new_choice(object answer) except NULL:
    """Return the Choice of an answer; of kind IN_PYTHON where it has to be chosen there."""
    cdef Choice *choice = <Choice *>calloc(1, sizeof(Choice))
    if choice == NULL:
        raise MemoryError
    try:
        fill_choice(choice, answer)
    except BaseException:
        free_choice(choice)
        raise
    return choice


cdef void free_choice(Choice *choice) noexcept:
    cdef uint32_t index
    if choice == NULL:
        return
    if choice.answers != NULL:
        for index in range(choice.number):
            free_choice(choice.answers[index])
    free(choice.answers)
    free(choice.leaves)
    free(choice.keep)
    free(choice.other)
    free(choice.weights)
    Py_XDECREF(choice.held)
    Py_XDECREF(choice.answer)
    free(choice)


cdef void *room_for(size_t number, size_t size) except NULL:
    cdef void *room = calloc(number + 1, size)
    if room == NULL:
        raise MemoryError
    return room


cdef int fill_choice(Choice *choice, object answer) except -1:
    choice.answer = <PyObject *>answer
    Py_INCREF(answer)
    kind = type(answer)
    if kind is Fixed:
        leaf = answer.leaf
        hold(choice, leaf)
        choice.leaves = <Outcome *>room_for(1, sizeof(Outcome))
        set_outcome(&choice.leaves[0], leaf)
        choice.number = 1
        choice.kind = FIXED
    elif kind is Shuffled:
        return fill_shuffled(choice, answer)
    elif kind is Weighted:
        leaves = answer.leaves
        hold(choice, leaves)
        set_leaves(choice, leaves)
        if set_table(choice, answer.keep, answer.other, answer.per_slot):
            choice.kind = WEIGHTED
    elif kind is Several:
        return fill_several(choice, answer)
    elif kind is Nested and not answer.by_client:
        return fill_nested(choice, answer)
    return 0


cdef int hold(Choice *choice, object what) except -1:
    choice.held = <PyObject *>what
    Py_INCREF(what)
    return 0


cdef int set_outcome(Outcome *outcome, object leaf) except -1:
    """Point at the octets of a Leaf, which the caller keeps alive."""
    cdef bytes counts = leaf[0], counts_opt = leaf[1], records = leaf[2]
    if len(counts) != 6 or len(counts_opt) != 6:
        raise ValueError("counts of a header have 6 octets")
    outcome.counts = counts
    outcome.counts_opt = counts_opt
    outcome.records = NULL
    outcome.size = 0
    if records is not None:
        outcome.records = records
        outcome.size = len(records)
    outcome.tag = leaf[3]
    return 0


cdef int set_leaves(Choice *choice, tuple leaves) except -1:
    cdef uint32_t index
    choice.leaves = <Outcome *>room_for(len(leaves), sizeof(Outcome))
    choice.number = len(leaves)
    for index in range(choice.number):
        set_outcome(&choice.leaves[index], leaves[index])
    return 0


cdef bint set_table(Choice *choice, tuple keep, tuple other, object per_slot) except -1:
    """Copy an alias table; return whether its numbers have room in 64 bits, and are sound."""
    cdef uint32_t index, number = len(keep)
    if number != choice.number or len(other) != number or not number:
        raise ValueError("an alias table has a slot for each outcome")
    if number * per_slot >= 1 << 64 or per_slot < 1:
        return False
    choice.keep = <uint64_t *>room_for(number, sizeof(uint64_t))
    choice.other = <uint32_t *>room_for(number, sizeof(uint32_t))
    for index in range(number):
        choice.keep[index] = keep[index]
        choice.other[index] = other[index]
        if choice.other[index] >= number:
            raise ValueError("an alias table names an outcome that is not there")
    choice.per_slot = per_slot
    choice.tickets = number * per_slot
    return True


cdef int fill_shuffled(Choice *choice, object answer) except -1:
    cdef tuple bases = answer.bases
    cdef bytes base
    cdef uint32_t index
    if answer.size < 1 or answer.count < 1 or not bases or answer.take > answer.count:
        raise ValueError("a shuffled answer without records")
    hold(choice, (bases, answer.counts, answer.counts_opt))
    choice.leaves = <Outcome *>room_for(len(bases), sizeof(Outcome))
    choice.number = len(bases)
    choice.size, choice.take = answer.size, answer.take
    choice.per_slot = answer.count
    choice.tickets = choice.number * choice.per_slot
    for index in range(choice.number):
        base = bases[index]
        if <uint64_t>len(base) < 2 * choice.per_slot * <uint64_t>choice.size:
            raise ValueError("an order of a shuffled answer is too short")
        set_outcome(&choice.leaves[index], (answer.counts, answer.counts_opt, base, answer.tag))
    choice.kind = SHUFFLED
    return 0


cdef int fill_several(Choice *choice, object answer) except -1:
    cdef tuple records = answer.records, weights = answer.weights
    table = answer.table
    cdef uint32_t index
    counts, counts_opt = answer.counts, answer.counts_opt
    hold(choice, (records, counts, counts_opt))
    set_leaves(choice, tuple([(counts, counts_opt, record, answer.tag) for record in records]))
    set_outcome(&choice.outcome, (counts, counts_opt, b"", answer.tag))
    if not set_table(choice, table.keep, table.other, table.tickets_per_slot):
        return 0
    if answer.take > min(len(records), MOST_TAKEN) or sum(weights) >= 1 << 63:
        return 0
    choice.take = answer.take
    choice.size = choice.take * max(map(len, records))
    if choice.size > MOST_RECORDS:
        return 0
    choice.weights = <uint64_t *>room_for(len(weights), sizeof(uint64_t))
    for index in range(choice.number):
        choice.weights[index] = weights[index]
    choice.kind = SEVERAL
    return 0


cdef int fill_nested(Choice *choice, object answer) except -1:
    cdef tuple answers = answer.answers
    cdef uint32_t index
    table = answer.table
    choice.number = len(answers)
    if not set_table(choice, table.keep, table.other, table.tickets_per_slot):
        return 0
    choice.answers = <Choice **>room_for(choice.number, sizeof(Choice *))
    choice.kind = NESTED
    for index in range(choice.number):
        choice.answers[index] = new_choice(answers[index])
        if choice.answers[index].kind == IN_PYTHON:
            choice.kind = IN_PYTHON
    return 0


cdef inline uint32_t pick(const Choice *choice, uint64_t draw) noexcept nogil:
    cdef uint64_t drawn = product_high(draw, choice.tickets)
    cdef uint32_t slot = <uint32_t>(drawn / choice.per_slot)
    return slot if drawn % choice.per_slot < choice.keep[slot] else choice.other[slot]


cdef void choose(
    const Choice *choice, uint64_t draw, Outcome *outcome, unsigned char *scratch
) noexcept nogil:
    """Settle on an outcome as `choose` of answer.py does. scratch: of MOST_RECORDS octets."""
    cdef uint64_t drawn
    while choice.kind == NESTED:
        choice = choice.answers[pick(choice, draw)]
        draw = split_draw(draw)
    if choice.kind == FIXED:
        outcome[0] = choice.leaves[0]
    elif choice.kind == WEIGHTED:
        outcome[0] = choice.leaves[pick(choice, draw)]
    elif choice.kind == SHUFFLED:
        drawn = product_high(draw, choice.tickets)
        outcome[0] = choice.leaves[drawn / choice.per_slot]
        outcome.records += <Py_ssize_t>(drawn % choice.per_slot) * choice.size
        outcome.size = choice.take * choice.size
    else:
        choose_several(choice, draw, outcome, scratch)


cdef void choose_several(
    const Choice *choice, uint64_t draw, Outcome *outcome, unsigned char *scratch
) noexcept nogil:
    """Draw records without replacement, as `Several.indexes`, and put them together."""
    cdef uint32_t taken[MOST_TAKEN]
    cdef uint32_t number, index = 0
    cdef int tries
    outcome[0] = choice.outcome
    for number in range(choice.take):
        for tries in range(4):
            index = pick(choice, draw)
            draw = split_draw(draw)
            if not is_among(index, taken, number):
                break
        else:
            index = pick_of_rest(choice, draw, taken, number)
            draw = split_draw(draw)
        taken[number] = index
        memcpy(scratch + outcome.size, choice.leaves[index].records, choice.leaves[index].size)
        outcome.size += choice.leaves[index].size
    outcome.records = scratch


cdef inline bint is_among(uint32_t index, const uint32_t *taken, uint32_t number) noexcept nogil:
    cdef uint32_t at
    for at in range(number):
        if taken[at] == index:
            return True
    return False


cdef uint32_t pick_of_rest(
    const Choice *choice, uint64_t draw, const uint32_t *taken, uint32_t number
) noexcept nogil:
    """As `Several._among_the_rest`."""
    cdef uint64_t total = 0, end = 0
    cdef uint32_t index, last = 0
    for index in range(choice.number):
        if not is_among(index, taken, number):
            total += choice.weights[index]
    draw = product_high(draw, total)
    for index in range(choice.number):
        if not is_among(index, taken, number):
            end += choice.weights[index]
            last = index
            if draw < end:
                break
    return last


cdef class CompiledRoute:
    """The columns of a RouteTable in place; they cannot grow as long as this lives."""

    cdef intervals columns
    cdef Py_buffer views[6]
    cdef int viewed

    def __cinit__(self, route):
        self.viewed = 0
        for column, octets in zip(route._columns(), (4, 2, 4, 8, 8, 2)):
            PyObject_GetBuffer(column, &self.views[self.viewed], PyBUF_SIMPLE)
            self.viewed += 1
            if column.itemsize != octets:
                raise ValueError("a column of a route has numbers of another size")
        cdef intervals *columns = &self.columns
        columns.starts4 = <const uint32_t *>self.views[0].buf
        columns.rules4 = <const uint16_t *>self.views[1].buf
        columns.index4 = <const uint32_t *>self.views[2].buf if self.views[2].len else NULL
        columns.highs = <const uint64_t *>self.views[3].buf
        columns.lows = <const uint64_t *>self.views[4].buf
        columns.rules6 = <const uint16_t *>self.views[5].buf
        columns.number4 = self.views[0].len // 4
        columns.number6 = self.views[3].len // 8
        self.check()
        columns.constant = is_constant(columns)

    cdef int check(self) except -1:
        """Raise ValueError where looking up could leave the columns."""
        cdef intervals *columns = &self.columns
        cdef size_t at
        sizes = [self.views[number].len for number in range(6)]
        if sizes[1] != 2 * (columns.number4 + 1) or sizes[5] != 2 * (columns.number6 + 1):
            raise ValueError("a route has one rule more than starts")
        if sizes[4] != sizes[3] or sizes[2] not in (0, 4 * 65537):
            raise ValueError("the columns of a route do not belong together")
        if columns.index4 != NULL:
            for at in range(65537):
                if columns.index4[at] > columns.number4:
                    raise ValueError("the index of a route points behind its starts")
        return 0

    def __dealloc__(self):
        while self.viewed:
            self.viewed -= 1
            PyBuffer_Release(&self.views[self.viewed])
