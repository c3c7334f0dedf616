# A question as the compiled path takes it: what `parse_query` reads from the packets that most are.

cdef struct Question:
    bint taken  # whether it is one for the compiled path; else nothing else here holds
    const unsigned char *packet
    int end  # offset of the first octet behind the question
    int name_size
    int key_size
    int qtype
    int qclass
    int limit  # octets that the response may have
    bint edns
    bint dnssec_ok
    bint subnet  # whether there is a Client Subnet option that counts
    int family
    int source
    int octets  # of its address, which begins at:
    const unsigned char *shown_octets
    address shown
    bint options  # whether there are any that the response may answer
    bint nsid
    const unsigned char *cookie  # the first; NULL: none
    int cookie_size
    uint64_t name_hash
    uint64_t hash  # of all of the key
    unsigned char key[MOST_KEY]  # the name in lower case, then what else makes it another question


cdef inline int two_octets(const unsigned char *at) noexcept nogil:
    return at[0] << 8 | at[1]


cdef bint read_question(
    const unsigned char *packet, Py_ssize_t size, Question *question, int payload, bint subnets
) noexcept nogil:
    """Read a query. False: one for `parse_query`, which tells what is wrong with it, or rare.

    Taken are: one question, no records but one OPT of version 0 behind it, with sound options.
    payload: octets that we take; subnets: whether Client Subnet counts.
    """
    cdef int at = HEADER, length, additional
    if size < HEADER + 5 or packet[2] & 0xF8 or two_octets(packet + 4) != 1:
        return False
    additional = two_octets(packet + 10)
    if two_octets(packet + 6) or two_octets(packet + 8) or additional > 1:
        return False
    while packet[at]:
        length = packet[at]
        if length > 63 or at + length + 1 >= size or at + length + 1 >= HEADER + MAX_NAME:
            return False
        at += length + 1
    question.name_size = at + 1 - HEADER
    if at + 5 > size:
        return False
    question.packet = packet
    question.qtype = two_octets(packet + at + 1)
    question.qclass = two_octets(packet + at + 3)
    question.end = at + 5
    question.limit = 512
    question.edns = question.dnssec_ok = question.subnet = question.options = False
    if not additional:
        if question.end != size:
            return False
    elif not read_opt(packet + question.end, size - question.end, question, payload, subnets):
        return False
    write_key(question)
    return True


cdef bint read_opt(
    const unsigned char *opt, Py_ssize_t size, Question *question, int payload, bint subnets
) noexcept nogil:
    cdef int most
    if size < OPT_OCTETS or opt[0] or two_octets(opt + 1) != TYPE_OPT or opt[6]:
        return False
    if two_octets(opt + 9) != size - OPT_OCTETS:
        return False
    question.edns = True
    question.dnssec_ok = (opt[7] & 0x80) != 0
    most = max(512, two_octets(opt + 3))
    question.limit = min(most, payload)
    if size == OPT_OCTETS:
        return True
    return read_options(opt + OPT_OCTETS, size - OPT_OCTETS, question, subnets)


cdef bint read_options(
    const unsigned char *at, Py_ssize_t size, Question *question, bint subnets
) noexcept nogil:
    """As `_options` of wire/query.py: one Client Subnet, of others the first; the rest is passed."""
    cdef int left, code, length
    cdef bint subnet = False
    question.nsid = False
    question.cookie = NULL
    for left in range(MOST_OPTIONS):
        if size < 4:
            return False
        code, length = two_octets(at), two_octets(at + 2)
        at += 4
        size -= 4
        if length > size:
            return False
        if code == CLIENT_SUBNET:
            if subnet or (subnets and not read_subnet(at, length, question)):
                return False
            subnet = True
        elif code == COOKIE and question.cookie == NULL:
            if length != 8 and not 16 <= length <= 40:
                return False
            question.cookie, question.cookie_size = at, length
        elif code == NSID:
            question.nsid = True
        at += length
        size -= length
        if size == 0:
            question.options = question.subnet or question.nsid or question.cookie != NULL
            return True
    return False


cdef bint read_subnet(
    const unsigned char *data, Py_ssize_t size, Question *question
) noexcept nogil:
    """As `parse_subnet` (RFC 7871 sections 6 and 7.1.2)."""
    cdef int at
    cdef uint64_t number
    if size < 4 or data[0] or data[3]:
        return False
    question.family, question.source = data[1], data[2]
    question.octets = size - 4
    question.shown_octets = data = data + 4
    question.subnet = True
    question.shown.high = question.shown.low = 0
    if question.family == 0:
        return question.source == 0 and question.octets == 0
    if question.family > 2 or question.source > (32 if question.family == 1 else 128):
        return False
    if question.octets != (question.source + 7) // 8:
        return False
    if question.source & 7 and data[question.octets - 1] & (0xFF >> (question.source & 7)):
        return False
    if question.family == 1:
        question.shown.low = <uint64_t>0xFFFF << 32
        for at in range(question.octets):
            number = data[at]
            question.shown.low |= number << (24 - 8 * at)
        return True
    for at in range(question.octets):
        number = data[at]
        if at < 8:
            question.shown.high |= number << (56 - 8 * at)
        else:
            question.shown.low |= number << (120 - 8 * at)
    return True


cdef void write_key(Question *question) noexcept nogil:
    """Note all that the response hangs on but the client and what is chosen.

    Of the header that is RD alone; only the name is lowered: type 65 (HTTPS) is an "A".
    """
    cdef const unsigned char *name = question.packet + HEADER
    cdef unsigned char *key = question.key
    lower(name, question.name_size, key)
    key += question.name_size
    memcpy(key, name + question.name_size, 4)
    key[4] = (question.packet[2] & 1) | question.edns << 1 | question.dnssec_ok << 2
    key[5] = question.limit >> 8
    key[6] = question.limit & 0xFF
    question.key_size = question.name_size + 7


cdef inline void hash_key(Question *question, const uint64_t *secret) noexcept nogil:
    """Hash the name, by which the index is asked, and from that the key with what stands behind it.

    Each value of the first is a secret of its own for the second.
    """
    cdef uint64_t[2] mixed
    question.name_hash = siphash13(secret, question.key, question.name_size)
    mixed[0], mixed[1] = secret[0] ^ question.name_hash, secret[1]
    question.hash = siphash13(
        mixed, question.key + question.name_size, question.key_size - question.name_size
    )


cdef bytes plain_packet(const Question *question):
    """Return the query without options: what is prepared does not hang on them."""
    cdef bytes packet = PyBytes_FromStringAndSize(<char *>question.packet, question.end)
    if not question.edns:
        return packet
    return packet + PyBytes_FromStringAndSize(
        <char *>question.packet + question.end, OPT_OCTETS - 2
    ) + b"\0\0"


cdef bytes name_from(const Question *question, int at):
    """Return the name asked for without its first `at` octets, in lower case."""
    return PyBytes_FromStringAndSize(<char *>question.key + at, question.name_size - at)
