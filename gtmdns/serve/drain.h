/* The system calls under drain.pyx: recvmmsg and sendmmsg (Linux), and what they fill in. */
#ifndef GTMDNS_DRAIN_H
#define GTMDNS_DRAIN_H

#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

enum {
    BATCH = 64,       /* as in udp.py */
    MAX_QUERY = 4096, /* as in udp.py */
    ROOM = 4096,      /* of an answer of the compiled cache */
    ANCILLARY = 64,   /* one in6_pktinfo with its header is 40 */
    APART = 192,      /* octets between buffers, so that not all begin in the same set of a cache */
};

typedef struct {
    int family;
    uint16_t port;
    uint8_t octets[16];
} peer_address;

typedef struct {
    struct mmsghdr in[BATCH], out[BATCH];
    struct iovec in_parts[BATCH], out_parts[BATCH];
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } peers[BATCH];
    union {
        struct cmsghdr header; /* for its alignment */
        unsigned char octets[ANCILLARY];
    } ancillary[BATCH];
    unsigned char queries[BATCH][MAX_QUERY + APART];
    unsigned char answers[BATCH][ROOM + APART];
    int read, waiting;
    int with_ancillary;
} reader;

static reader *new_reader(void) {
    prctl(PR_SET_TIMERSLACK, 1000uL, 0, 0, 0); /* nanoseconds that a rest may be longer: 50 000 else */
    reader *all = calloc(1, sizeof(reader));
    for (int i = 0; all != NULL && i < BATCH; i++) {
        all->in_parts[i] = (struct iovec){all->queries[i], MAX_QUERY};
        all->in[i].msg_hdr = (struct msghdr){
            .msg_name = &all->peers[i], .msg_iov = &all->in_parts[i], .msg_iovlen = 1};
        all->read = BATCH; /* whose lengths are still to be set */
        all->out[i].msg_hdr = (struct msghdr){.msg_iov = &all->out_parts[i], .msg_iovlen = 1};
    }
    return all;
}

/* Read a batch; return how many packets, or -1 with errno. */
static int receive(reader *all, int descriptor, int with_ancillary) {
    if (with_ancillary != all->with_ancillary)
        all->read = BATCH;
    all->with_ancillary = with_ancillary;
    for (int i = 0; i < all->read; i++) { /* the kernel left the lengths of the last batch there */
        struct msghdr *header = &all->in[i].msg_hdr;
        header->msg_namelen = sizeof all->peers[i];
        header->msg_control = with_ancillary ? &all->ancillary[i] : NULL;
        header->msg_controllen = with_ancillary ? sizeof all->ancillary[i] : 0;
    }
    all->waiting = all->read = 0;
    int read;
    do
        read = recvmmsg(descriptor, all->in, BATCH, MSG_DONTWAIT, NULL);
    while (read < 0 && errno == EINTR);
    all->read = read > 0 ? read : 0;
    return read;
}

static uint64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static void rest(long nanoseconds) {
    struct timespec moment = {0, nanoseconds};
    nanosleep(&moment, NULL); /* a signal ends it: the loop has something to do */
}

static const unsigned char *packet_of(reader *all, int number, size_t *size) {
    *size = all->in[number].msg_len < MAX_QUERY ? all->in[number].msg_len : MAX_QUERY;
    return all->queries[number];
}

static void peer_of(reader *all, int number, peer_address *peer) {
    peer->family = all->peers[number].any.sa_family;
    if (peer->family == AF_INET6) {
        peer->port = ntohs(all->peers[number].six.sin6_port);
        memcpy(peer->octets, &all->peers[number].six.sin6_addr, 16);
    } else {
        peer->port = ntohs(all->peers[number].four.sin_port);
        memset(peer->octets, 0, 16);
        memcpy(peer->octets, &all->peers[number].four.sin_addr, 4);
    }
}

/* Return where the next answer may be written, of ROOM octets. */
static unsigned char *room_of(reader *all) {
    return all->answers[all->waiting];
}

/* Make what came as ancillary data the address to send from; return its octets, 0: there is none.
 * The interface is left to the routing table, as udp.py does. */
static size_t reply_from(struct msghdr *received) {
    struct cmsghdr *found = CMSG_FIRSTHDR(received);
    if (found == NULL || received->msg_flags & MSG_CTRUNC)
        return 0;
    if (found->cmsg_level == IPPROTO_IP && found->cmsg_type == IP_PKTINFO &&
        found->cmsg_len >= CMSG_LEN(sizeof(struct in_pktinfo))) {
        struct in_pktinfo info;
        memcpy(&info, CMSG_DATA(found), sizeof info);
        info.ipi_ifindex = 0;
        info.ipi_spec_dst = info.ipi_addr;
        info.ipi_addr.s_addr = 0;
        memcpy(CMSG_DATA(found), &info, sizeof info);
        return CMSG_SPACE(sizeof info);
    }
    if (found->cmsg_level == IPPROTO_IPV6 && found->cmsg_type == IPV6_PKTINFO &&
        found->cmsg_len >= CMSG_LEN(sizeof(struct in6_pktinfo))) {
        struct in6_pktinfo info;
        memcpy(&info, CMSG_DATA(found), sizeof info);
        info.ipi6_ifindex = 0;
        memcpy(CMSG_DATA(found), &info, sizeof info);
        return CMSG_SPACE(sizeof info);
    }
    return 0;
}

/* Add the answer to a packet to what waits to be sent. The octets stay where they are until then. */
static void answer_from(reader *all, int number, const void *octets, size_t size,
                        int with_ancillary) {
    struct msghdr *received = &all->in[number].msg_hdr;
    struct msghdr *sent = &all->out[all->waiting].msg_hdr;
    all->out_parts[all->waiting] = (struct iovec){(void *)octets, size};
    sent->msg_name = received->msg_name;
    sent->msg_namelen = received->msg_namelen;
    sent->msg_controllen = with_ancillary ? reply_from(received) : 0;
    sent->msg_control = sent->msg_controllen ? received->msg_control : NULL;
    all->waiting++;
}

static int waiting(reader *all) {
    return all->waiting;
}

/* Send what waits; return how many the kernel did not take. Each is lost alone, as UDP may. */
static int send_all(reader *all, int descriptor) {
    int done = 0, lost = 0;
    while (done < all->waiting) {
        int sent = sendmmsg(descriptor, all->out + done, all->waiting - done, MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        lost += sent <= 0;
        done += sent > 0 ? sent : 1;
    }
    return lost;
}

#endif
