/* What the compiled path needs of C itself: hashing, draws, and addresses of 128 bits.
 *
 * A client is an address of 128 bits, IPv4 mapped into ::ffff:0:0/96, as in route.py. Every function
 * here has a twin in Python (choice.py, route.py, scope.py) that says what it means, and the tests
 * hold both to the same results.
 */
#ifndef GTMDNS_FAST_H
#define GTMDNS_FAST_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

typedef unsigned __int128 wide;

typedef struct {
    uint64_t high, low;
} address;

/* The columns of a RouteTable: see route.py. `starts` are one fewer than `rules`. */
typedef struct {
    const uint32_t *starts4;
    const uint16_t *rules4;
    const uint32_t *index4; /* NULL, or 65537 */
    const uint64_t *highs;
    const uint64_t *lows;
    const uint16_t *rules6;
    size_t number4, number6; /* starts */
    int constant;            /* whether every client gets the same rule */
} intervals;

enum { MARKER_MAPPED = 0xFFFC, MARKER_NAT64, MARKER_SIX_TO_FOUR, MARKER_TEREDO };

static inline void prefetch(const void *place) {
    __builtin_prefetch(place);
}

/* Names */

static inline void lower(const unsigned char *name, size_t size, unsigned char *out) {
    const uint64_t ones = 0x0101010101010101u;
    uint64_t word, low, upper;
    size_t at = 0;
    for (; at + 8 <= size; at += 8) { /* eight octets at once */
        __builtin_memcpy(&word, name + at, 8);
        low = word & 0x7F * ones;
        upper = (low + (0x80 - 'A') * ones) & ~(low + (0x80 - 'Z' - 1) * ones) & ~word & 0x80 * ones;
        word += upper >> 2; /* 0x80 becomes 0x20 */
        __builtin_memcpy(out + at, &word, 8);
    }
    for (; at < size; at++)
        out[at] = name[at] + ((unsigned char)(name[at] - 'A') < 26 ? 32 : 0);
}

/* Records, whose owners are pointers or uncompressed names */

static inline ptrdiff_t behind_records(const unsigned char *records, ptrdiff_t size, int number) {
    ptrdiff_t at = 0; /* -1 is returned where they end before */
    while (number--) {
        while (at < size && records[at] && records[at] < 0xC0)
            at += 1 + records[at];
        at += at < size && records[at] ? 2 : 1;
        if (at + 10 > size)
            return -1;
        at += 10 + (records[at + 8] << 8 | records[at + 9]);
    }
    return at <= size ? at : -1;
}

/* As pack.owned: records that point to the question get another owner. */
static inline void set_owners(unsigned char *records, ptrdiff_t size, const unsigned char owner[2]) {
    ptrdiff_t at = 0;
    while (at + 12 <= size) {
        records[at] = owner[0];
        records[at + 1] = owner[1];
        at += 12 + (records[at + 10] << 8 | records[at + 11]);
    }
}

/* Chance */

static inline uint64_t product_high(uint64_t a, uint64_t b) {
    return (uint64_t)((wide)a * b >> 64);
}

static inline uint64_t split_draw(uint64_t draw) { /* splitmix64, as choice.split */
    draw += 0x9E3779B97F4A7C15u;
    draw = (draw ^ draw >> 30) * 0xBF58476D1CE4E5B9u;
    draw = (draw ^ draw >> 27) * 0x94D049BB133111EBu;
    return draw ^ draw >> 31;
}

static inline uint64_t rotated(uint64_t x, int by) {
    return x << by | x >> (64 - by);
}

static inline uint64_t next_draw(uint64_t s[4]) { /* xoshiro256** 1.0, Blackman and Vigna 2018 */
    uint64_t result = rotated(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotated(s[3], 45);
    return result;
}

/* SipHash-1-3, as CPython hashes octets: with a key that nobody knows, collisions cannot be sent */

#define SIP_ROUND                                                                     \
    do {                                                                              \
        v0 += v1; v1 = rotated(v1, 13); v1 ^= v0; v0 = rotated(v0, 32);               \
        v2 += v3; v3 = rotated(v3, 16); v3 ^= v2;                                     \
        v0 += v3; v3 = rotated(v3, 21); v3 ^= v0;                                     \
        v2 += v1; v1 = rotated(v1, 17); v1 ^= v2; v2 = rotated(v2, 32);               \
    } while (0)

static inline uint64_t siphash13(const uint64_t key[2], const unsigned char *data, size_t size) {
    uint64_t v0 = key[0] ^ 0x736F6D6570736575u, v1 = key[1] ^ 0x646F72616E646F6Du;
    uint64_t v2 = key[0] ^ 0x6C7967656E657261u, v3 = key[1] ^ 0x7465646279746573u;
    uint64_t last = (uint64_t)size << 56, word;
    size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        __builtin_memcpy(&word, data + at, 8);
        v3 ^= word;
        SIP_ROUND;
        v0 ^= word;
    }
    for (size_t i = 0; at + i < size; i++)
        last |= (uint64_t)data[at + i] << 8 * i;
    v3 ^= last;
    SIP_ROUND;
    v0 ^= last;
    v2 ^= 0xFF;
    SIP_ROUND;
    SIP_ROUND;
    SIP_ROUND;
    return v0 ^ v1 ^ v2 ^ v3;
}

/* Hashing: choice.py says what it means, and that it never changes */

static inline uint64_t mixed(uint64_t value) { /* mix of choice.py: the last steps of split */
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9u;
    value = (value ^ value >> 27) * 0x94D049BB133111EBu;
    return value ^ value >> 31;
}

static inline double score_of(uint64_t seed, uint64_t key, double share) {
    uint64_t after = mixed(seed ^ key) + 1; /* of 2 ** 64 only the zero is left */
    return -log((after ? (double)after : 0x1p64) * 0x1p-64) * share;
}

/* Routes */

static inline wide joined(address a) {
    return (wide)a.high << 64 | a.low;
}

static inline int bit_length(wide x) {
    uint64_t high = (uint64_t)(x >> 64), low = (uint64_t)x;
    if (high)
        return 128 - __builtin_clzll(high);
    return low ? 64 - __builtin_clzll(low) : 0;
}

static inline size_t position4(const intervals *route, uint32_t client) {
    size_t low = 0, high = route->number4;
    if (route->index4 != NULL) { /* none points behind the starts */
        low = route->index4[client >> 16];
        if (route->index4[(client >> 16) + 1] < high)
            high = route->index4[(client >> 16) + 1];
    }
    while (low < high) { /* bisect_right */
        size_t middle = (low + high) / 2;
        if (client < route->starts4[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static inline wide start6(const intervals *route, size_t position) {
    return (wide)route->highs[position] << 64 | route->lows[position];
}

static inline size_t position6(const intervals *route, wide client) {
    size_t low = 0, high = route->number6;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (client < start6(route, middle))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static inline uint32_t embedded4(wide client, int marker) {
    if (marker == MARKER_TEREDO)
        return ~(uint32_t)client;
    return (uint32_t)(marker == MARKER_SIX_TO_FOUR ? client >> 80 : client);
}

static inline int is_mapped(wide client) {
    return client >> 32 == 0xFFFF;
}

static inline int embedding_of(wide client) { /* 0: it is no IPv4 address inside IPv6 */
    if (client >> 112 == 0x2002)
        return MARKER_SIX_TO_FOUR;
    if (client >> 32 == (wide)0x64FF9B << 64)
        return MARKER_NAT64;
    return client >> 96 == 0x20010000 ? MARKER_TEREDO : 0;
}

static inline uint64_t network_of(address from) { /* as choice.network_of */
    wide client = joined(from);
    int marker;
    if (is_mapped(client))
        return (uint64_t)client >> 8;
    marker = embedding_of(client);
    if (marker)
        return 0xFFFFull << 24 | embedded4(client, marker) >> 8;
    return from.high >> 8;
}

static inline int network_scope(address from) { /* as choice.network_scope */
    wide client = joined(from);
    int marker;
    if (is_mapped(client))
        return 96 + 24;
    marker = embedding_of(client);
    if (!marker)
        return 56;
    return marker == MARKER_SIX_TO_FOUR ? 96 + 24 - 80 : 96 + 24;
}

static inline int find_rule(const intervals *route, address from) {
    wide client = joined(from);
    if (is_mapped(client))
        return route->rules4[position4(route, (uint32_t)client)];
    int rule = route->rules6[position6(route, client)];
    if (rule < MARKER_MAPPED)
        return rule;
    return route->rules4[position4(route, embedded4(client, rule))];
}

static inline int rule_and_scope4(const intervals *route, uint32_t client, int *scope) {
    size_t position = position4(route, client);
    int near = 0, other;
    if (position)
        near = 33 - bit_length(client ^ (uint32_t)(route->starts4[position - 1] - 1));
    if (position < route->number4) {
        other = 33 - bit_length(client ^ route->starts4[position]);
        near = other > near ? other : near;
    }
    *scope = 96 + near;
    return route->rules4[position];
}

static inline int rule_and_scope(const intervals *route, address from, int *scope) {
    wide client = joined(from);
    if (is_mapped(client))
        return rule_and_scope4(route, (uint32_t)client, scope);
    size_t position = position6(route, client);
    int rule = route->rules6[position], near = 0, other;
    if (rule >= MARKER_MAPPED) {
        int rule4 = rule_and_scope4(route, embedded4(client, rule), scope);
        *scope -= rule == MARKER_SIX_TO_FOUR ? 80 : 0;
        return rule4;
    }
    if (position)
        near = 129 - bit_length(client ^ (start6(route, position - 1) - 1));
    if (position < route->number6) {
        other = 129 - bit_length(client ^ start6(route, position));
        near = other > near ? other : near;
    }
    *scope = near;
    return rule;
}

static inline int is_constant(const intervals *route) {
    address four = {0, 0xFFFFull << 32}, six = {1ull << 63, 0};
    int scope4, scope6;
    int rule4 = rule_and_scope(route, four, &scope4), rule6 = rule_and_scope(route, six, &scope6);
    return scope4 == 96 && scope6 == 0 && rule4 == rule6;
}

/* Return whether the address of a subnet counts; *nearest: the prefix in which that holds. */
static inline int is_placed(const address *bounds, size_t number, address shown, int *nearest) {
    wide client = joined(shown);
    size_t low = 0, high = number;
    int scope = 0, other;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (client < joined(bounds[middle]))
            high = middle;
        else
            low = middle + 1;
    }
    if (low)
        scope = 129 - bit_length(client ^ (joined(bounds[low - 1]) - 1));
    if (low < number) {
        other = 129 - bit_length(client ^ joined(bounds[low]));
        scope = other > scope ? other : scope;
    }
    *nearest = scope;
    return !(low & 1);
}

/* rule_of of scope.py for a query with a subnet of a source above 0. */
static inline int rule_for_subnet(const intervals *route, address client, address shown,
                                  const address *bounds, size_t number, int *scope) {
    int rule = rule_and_scope(route, shown, scope), nearest;
    if ((*scope == 0 || *scope == 96) && route->constant) {
        *scope = 0;
        return rule;
    }
    if (is_placed(bounds, number, shown, &nearest)) {
        *scope = nearest > *scope ? nearest : *scope;
        return rule;
    }
    *scope = nearest;
    return find_rule(route, client);
}

#endif
