/* Server cookies (RFC 7873, RFC 9018) as cookies.py makes and checks them, without a memory:
 * SipHash takes 50 ns here.
 */
#ifndef GTMDNS_COOKIE_H
#define GTMDNS_COOKIE_H

#include "fast.h"

enum {
    COOKIE_KEY = 16,   /* octets of a secret */
    COOKIE_CLIENT = 8, /* of the client's part */
    COOKIE_WHOLE = 24,
    COOKIE_REFRESH = 30 * 60,
    COOKIE_AHEAD = 5 * 60
};

static inline uint64_t little_endian(const unsigned char *octets) {
    uint64_t number = 0;
    for (int i = 7; i >= 0; i--)
        number = number << 8 | octets[i];
    return number;
}

/* `size` is a multiple of 4, as the octets of a cookie are. */
static inline uint64_t siphash24(const unsigned char *key, const unsigned char *data, size_t size) {
    uint64_t k0 = little_endian(key), k1 = little_endian(key + 8);
    uint64_t v0 = k0 ^ 0x736F6D6570736575u, v1 = k1 ^ 0x646F72616E646F6Du;
    uint64_t v2 = k0 ^ 0x6C7967656E657261u, v3 = k1 ^ 0x7465646279746573u;
    uint64_t last = (uint64_t)size << 56, word;
    size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        word = little_endian(data + at);
        v3 ^= word;
        SIP_ROUND;
        SIP_ROUND;
        v0 ^= word;
    }
    for (size_t i = 0; at + i < size; i++)
        last |= (uint64_t)data[at + i] << 8 * i;
    v3 ^= last;
    SIP_ROUND;
    SIP_ROUND;
    v0 ^= last;
    v2 ^= 0xFF;
    SIP_ROUND;
    SIP_ROUND;
    SIP_ROUND;
    SIP_ROUND;
    return v0 ^ v1 ^ v2 ^ v3;
}

/* Serial arithmetic (RFC 1982): an age of 32 bits with a sign. */
static inline int is_cookie_fresh(const unsigned char *server, long long now) {
    uint32_t made = (uint32_t)server[4] << 24 | server[5] << 16 | server[6] << 8 | server[7];
    int32_t age = (int32_t)((uint32_t)now - made);
    return -COOKIE_AHEAD <= age && age <= COOKIE_REFRESH;
}

/* Hash both parts but the hash itself, and the client's address. head: of 16 octets */
static inline uint64_t cookie_hash(const unsigned char *secret, const unsigned char *head,
                                   address client) {
    unsigned char data[16 + 16];
    wide number = joined(client);
    size_t size = is_mapped(number) ? 4 : 16;
    __builtin_memcpy(data, head, 16);
    for (size_t i = 0; i < size; i++)
        data[16 + i] = (unsigned char)(number >> 8 * (size - 1 - i));
    return siphash24(secret, data, 16 + size);
}

static inline int is_cookie_accepted(const unsigned char *secrets, size_t number,
                                     const unsigned char *cookie, size_t size, address client,
                                     long long now) {
    if (size != COOKIE_WHOLE || cookie[8] != 1 || !is_cookie_fresh(cookie + 8, now))
        return 0;
    for (size_t i = 0; i < number; i++)
        if (cookie_hash(secrets + COOKIE_KEY * i, cookie, client) == little_endian(cookie + 16))
            return 1;
    return 0;
}

/* Write the cookie of a response, of COOKIE_WHOLE octets. secrets: at least one */
static inline void write_cookie(const unsigned char *secrets, size_t number,
                                const unsigned char *cookie, size_t size, address client,
                                long long now, unsigned char *out) {
    uint64_t hash;
    if (is_cookie_accepted(secrets, number, cookie, size, client, now)) {
        __builtin_memcpy(out, cookie, COOKIE_WHOLE);
        return;
    }
    __builtin_memcpy(out, cookie, COOKIE_CLIENT);
    out[8] = 1;
    out[9] = out[10] = out[11] = 0;
    for (int i = 0; i < 4; i++)
        out[12 + i] = (unsigned char)((uint32_t)now >> (24 - 8 * i));
    hash = cookie_hash(secrets, out, client);
    for (int i = 0; i < 8; i++)
        out[16 + i] = (unsigned char)(hash >> 8 * i);
}

#endif
