# Routes as the compiled path reads them, and which answer a client gets by them.

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


cdef address hashed_client(
    const Memory *memory, const Question *question, address client, bint by_client, int *scope
) noexcept nogil:
    """Return whose network a hash looks at, and widen the scope, as `choose` of scope.py."""
    cdef int nearest
    cdef bint placed
    if not question.subnet or not question.source:
        return client
    placed = is_placed(memory.bounds, memory.number_bounds, question.shown, &nearest)
    if by_client:
        scope[0] = max(scope[0], max(nearest, network_scope(question.shown)))
    return question.shown if placed else client
