# Answers and routes as the compiled path reads them: numbers and places of octets, no objects.
#
# A `Choice` copies the numbers of an answer and points at its octets, which live as long as the
# objects in `held`. A verdict puts another answer under the number (Snapshot.change); whoever holds
# a Choice compares `answer` with what stands there now.

cdef enum:
    IN_PYTHON = 0  # what only answer.py can choose: numbers too large, records without end
    FIXED = 1
    SHUFFLED = 2
    WEIGHTED = 3
    SEVERAL = 4
    NESTED = 5
    HASHED = 6
    MOST_TAKEN = 64

cdef struct Outcome:
    const unsigned char *counts  # octets 6 to 11 of the header; with an OPT: `counts_opt`
    const unsigned char *counts_opt
    const unsigned char *records  # NULL: an answer without records
    Py_ssize_t size
    long long tag
    bint leads  # it is a CNAME into a zone of ours, or may be one

cdef struct Choice:
    int kind
    PyObject *answer
    PyObject *held  # a tuple of what the places below are in
    uint64_t tickets
    uint64_t per_slot  # of the alias table; of SHUFFLED: records
    uint64_t *keep
    uint32_t *other
    uint64_t *weights  # of HASHED: the keys
    double *shares  # of HASHED: 1 / weight
    uint32_t number  # of leaves, bases, records or answers
    uint32_t take
    bint by_client  # whether the client's network matters
    Py_ssize_t size  # octets of a record of SHUFFLED; of SEVERAL and HASHED: the most that it gives
    Outcome outcome  # of SEVERAL and HASHED, all but the records
    Outcome *leaves
    Choice **answers


cdef Choice *new_choice(object answer, object snapshot) except NULL:
    """Return the Choice of an answer; of kind IN_PYTHON where it has to be chosen there."""
    cdef Choice *choice = <Choice *>calloc(1, sizeof(Choice))
    if choice == NULL:
        raise MemoryError
    try:
        fill_choice(choice, answer, snapshot)
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
    free(choice.shares)
    Py_XDECREF(choice.held)
    Py_XDECREF(choice.answer)
    free(choice)


cdef void *room_for(size_t number, size_t size) except NULL:
    cdef void *room = calloc(number + 1, size)
    if room == NULL:
        raise MemoryError
    return room


cdef int fill_choice(Choice *choice, object answer, object snapshot) except -1:
    cdef uint32_t index
    choice.answer = <PyObject *>answer
    Py_INCREF(answer)
    kind = type(answer)
    if kind is Nested:
        return fill_nested(choice, answer, snapshot)
    choice.take = 1
    if kind is Fixed:
        leaf = answer.leaf
        hold(choice, leaf)
        choice.leaves = <Outcome *>room_for(1, sizeof(Outcome))
        set_outcome(&choice.leaves[0], leaf)
        choice.number = 1
        choice.kind = FIXED
    elif kind is Shuffled:
        fill_shuffled(choice, answer)
    elif kind is Weighted:
        leaves = answer.leaves
        hold(choice, leaves)
        set_leaves(choice, leaves)
        if set_table(choice, answer.keep, answer.other, answer.per_slot):
            choice.kind = WEIGHTED
    elif kind is Several:
        fill_several(choice, answer)
    elif kind is Hashed:
        fill_hashed(choice, answer)
    for index in range(choice.number):
        choice.leaves[index].leads = leads_here(choice, &choice.leaves[index], snapshot)
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
    outcome.leads = False
    return 0


cdef bint leads_here(const Choice *choice, const Outcome *outcome, object snapshot) except -1:
    """As `_target_here` of steps.py; where several CNAMEs are given at once, they may lead."""
    if outcome.records == NULL or outcome.size < 13 or two_octets(outcome.records + 2) != CNAME:
        return False
    if choice.take > 1 or choice.kind == SHUFFLED:
        return True
    target = PyBytes_FromStringAndSize(<char *>outcome.records + 12, outcome.size - 12)
    return snapshot.zone_of(target.lower()) is not None


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


cdef int fill_hashed(Choice *choice, object answer) except -1:
    cdef tuple records = answer.records, keys = answer.keys, shares = answer.shares
    cdef uint32_t index
    counts, counts_opt = answer.counts, answer.counts_opt
    hold(choice, (records, counts, counts_opt))
    set_leaves(choice, tuple([(counts, counts_opt, record, answer.tag) for record in records]))
    set_outcome(&choice.outcome, (counts, counts_opt, b"", answer.tag))
    if not len(records) == len(keys) == len(shares) or max(keys) >> 64:
        raise ValueError("a hashed answer has a key and a weight for each record")
    if not 1 <= answer.take <= min(len(records), MOST_TAKEN):
        return 0
    choice.take = answer.take
    choice.size = choice.take * max(map(len, records))
    if choice.size > MOST_RECORDS:
        return 0
    choice.weights = <uint64_t *>room_for(choice.number, sizeof(uint64_t))
    choice.shares = <double *>room_for(choice.number, sizeof(double))
    for index in range(choice.number):
        choice.weights[index], choice.shares[index] = keys[index], shares[index]
    choice.by_client = True
    choice.kind = HASHED
    return 0


cdef int fill_nested(Choice *choice, object answer, object snapshot) except -1:
    cdef tuple answers = answer.answers
    cdef uint32_t index
    table = answer.table
    choice.number = len(answers)
    if not set_table(choice, table.keep, table.other, table.tickets_per_slot):
        return 0
    choice.answers = <Choice **>room_for(choice.number, sizeof(Choice *))
    choice.kind = NESTED
    for index in range(choice.number):
        choice.answers[index] = new_choice(answers[index], snapshot)
        choice.by_client |= choice.answers[index].by_client
        if choice.answers[index].kind == IN_PYTHON:
            choice.kind = IN_PYTHON
    return 0


cdef inline uint32_t pick(const Choice *choice, uint64_t draw) noexcept nogil:
    cdef uint64_t drawn = product_high(draw, choice.tickets)
    cdef uint32_t slot = <uint32_t>(drawn / choice.per_slot)
    return slot if drawn % choice.per_slot < choice.keep[slot] else choice.other[slot]


cdef void choose(
    const Choice *choice, uint64_t draw, const address *client, Outcome *outcome,
    unsigned char *scratch,
) noexcept nogil:
    """Settle on an outcome as `choose` of answer.py does, or `choose_for` where there is a client.

    scratch: of MOST_RECORDS octets
    """
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
    elif choice.kind == HASHED:
        if client != NULL:
            draw = split_draw(network_of(client[0]))
        choose_hashed(choice, draw, outcome, scratch)
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
        outcome.leads = choice.leaves[index].leads
        memcpy(scratch + outcome.size, choice.leaves[index].records, choice.leaves[index].size)
        outcome.size += choice.leaves[index].size
    outcome.records = scratch


cdef void choose_hashed(
    const Choice *choice, uint64_t seed, Outcome *outcome, unsigned char *scratch
) noexcept nogil:
    """Put the records of the best scores together, as `Hashed`; of equal ones the first is best."""
    cdef uint32_t best[MOST_TAKEN]
    cdef double scores[MOST_TAKEN]
    cdef uint32_t number = 0, index, at
    cdef double score
    for index in range(choice.number):
        score = score_of(seed, choice.weights[index], choice.shares[index])
        if number == choice.take:
            if score >= scores[number - 1]:
                continue
            number -= 1
        at = number
        while at and score < scores[at - 1]:
            best[at], scores[at] = best[at - 1], scores[at - 1]
            at -= 1
        best[at], scores[at] = index, score
        number += 1
    outcome[0] = choice.outcome
    for at in range(number):
        index = best[at]
        outcome.leads = choice.leaves[index].leads
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
