/* Where each name of a snapshot is: slots of 16 octets, half of them empty, probed one by one.
 *
 * A slot points at a name and at what zone.py has under it, and owns neither. A pointer of a process
 * has 48 bits on Linux (more only for who asks mmap for such places), which leaves 16 for a part of
 * the hash beside the name, and for the number of the zone beside what was found.
 */
#ifndef GTMDNS_FAST_INDEX_H
#define GTMDNS_FAST_INDEX_H

#include <Python.h>
#include <string.h>
#include <sys/mman.h>

#include "fast.h"

typedef struct {
    uint64_t name;  /* a bytes object, and 16 bits of its hash above; 0: an empty slot */
    uint64_t found; /* a bytes object with records (the lowest bit is set) or a Node; above: zone */
} slot;

typedef struct {
    slot *slots;
    uint64_t number;  /* of slots */
    uint64_t longest; /* octets of the longest name */
    int complete;     /* whether all names are in it; before that it must not be asked */
} name_index;

enum { BYTES_DATA = offsetof(PyBytesObject, ob_sval), SMALL_INDEX = 1 << 15 };

#define POINTER_BITS 48
#define POINTER (((uint64_t)1 << POINTER_BITS) - 1)

static void index_close(name_index *index) {
    if (index->slots != NULL)
        munmap(index->slots, index->number * sizeof(slot));
    index->slots = NULL;
    index->number = 0;
    index->complete = 0;
}

/* Make room; return 0 where there is none. Large pages, as each name is on another page. */
static int index_open(name_index *index, uint64_t names) {
    uint64_t number = 2 * names + 1;
    index_close(index);
    void *place = mmap(NULL, number * sizeof(slot), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED)
        return 0;
    madvise(place, number * sizeof(slot), MADV_HUGEPAGE); /* a wish: where it fails, small ones do */
    index->slots = place;
    index->number = number;
    return 1;
}

/* Have the kernel clear the page at `octet`; return whether there is one. Clearing all takes 50 ms. */
static int index_touch(name_index *index, uint64_t octet) {
    if (octet >= index->number * sizeof(slot))
        return 0;
    ((volatile char *)index->slots)[octet] = 0;
    return 1;
}

static inline const PyObject *name_at(const slot *at) {
    return (const PyObject *)(uintptr_t)(at->name & POINTER);
}

static inline PyObject *found_at(const slot *at) {
    return (PyObject *)(uintptr_t)(at->found & POINTER & ~(uint64_t)1);
}

static inline int has_records(const slot *at) {
    return at->found & 1;
}

static inline uint64_t zone_at(const slot *at) {
    return at->found >> POINTER_BITS;
}

/* Return 0 where a pointer has no room, or all slots are taken. */
static int index_put(name_index *index, uint64_t hash, PyObject *name, PyObject *found,
                     int records, uint64_t zone) {
    uint64_t at = product_high(hash, index->number), tries = 0;
    if (((uint64_t)(uintptr_t)name | (uint64_t)(uintptr_t)found) >> POINTER_BITS)
        return 0;
    for (; index->slots[at].name; at = at + 1 == index->number ? 0 : at + 1)
        if (++tries == index->number - 1) /* one stays empty: looking ends there */
            return 0;
    index->slots[at].name = (uint64_t)(uintptr_t)name | hash << POINTER_BITS;
    index->slots[at].found = (uint64_t)(uintptr_t)found | !!records | zone << POINTER_BITS;
    return 1;
}

static inline const slot *index_find(const name_index *index, uint64_t hash,
                                     const unsigned char *name, Py_ssize_t size) {
    uint64_t at = product_high(hash, index->number);
    for (; index->slots[at].name; at = at + 1 == index->number ? 0 : at + 1) {
        const slot *here = &index->slots[at];
        if (here->name >> POINTER_BITS == (hash & 0xFFFF)) {
            const PyObject *known = name_at(here);
            if (Py_SIZE((PyObject *)known) == size &&
                memcmp(PyBytes_AS_STRING((PyObject *)known), name, size) == 0)
                return here;
        }
    }
    return NULL;
}

/* The first of two steps of a batch: ask for the slots that a name may be in. */
static inline void index_prefetch(const name_index *index, uint64_t hash) {
    if (index->complete)
        prefetch(&index->slots[product_high(hash, index->number)]);
}

/* The second one: ask for the name and what is under it, where the slots are here. */
static inline void index_prefetch_found(const name_index *index, uint64_t hash, size_t size) {
    if (!index->complete || index->number < SMALL_INDEX)
        return;
    uint64_t at = product_high(hash, index->number);
    for (; index->slots[at].name; at = at + 1 == index->number ? 0 : at + 1)
        if (index->slots[at].name >> POINTER_BITS == (hash & 0xFFFF)) {
            const char *name = (const char *)name_at(&index->slots[at]);
            const char *found = (const char *)found_at(&index->slots[at]);
            prefetch(name + BYTES_DATA - 1); /* with the size, which stands before */
            prefetch(name + BYTES_DATA + size);
            prefetch(found + BYTES_DATA - 1);
            prefetch(found + BYTES_DATA + 15); /* to the end of an address */
            return;
        }
}

/* Return the record of a type among such as point to the question, and its octets; NULL: none. */
static inline const unsigned char *record_of(const PyObject *records, int qtype, size_t *size) {
    const unsigned char *at = (const unsigned char *)PyBytes_AS_STRING((PyObject *)records);
    size_t left = Py_SIZE((PyObject *)records);
    while (left >= 12) {
        *size = 12 + (at[10] << 8 | at[11]);
        if (*size > left)
            return NULL;
        if ((at[2] << 8 | at[3]) == qtype)
            return at;
        at += *size;
        left -= *size;
    }
    return NULL;
}

#endif
