/* The floor under every DNS server here: receive a batch, set QR in each packet, send it back.
 *
 * Nothing is parsed and nothing looked up, so what is left is what the kernel asks for moving
 * a query and a response of the same size. Serves 127.0.0.1 and the port of argv[1] until killed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { BATCH = 64, SIZE = 4096 };

int main(int argc, char **argv) {
    static char octets[BATCH][SIZE];
    static struct sockaddr_in peers[BATCH];
    static struct iovec parts[BATCH];
    static struct mmsghdr batch[BATCH];

    if (argc != 2) {
        fprintf(stderr, "usage: echo PORT\n");
        return 2;
    }
    int sock = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (sock < 0 || bind(sock, (struct sockaddr *)&here, sizeof here) < 0) {
        perror("echo");
        return 1;
    }
    for (;;) {
        for (int i = 0; i < BATCH; i++) {
            parts[i] = (struct iovec){octets[i], SIZE};
            batch[i].msg_hdr = (struct msghdr){.msg_name = &peers[i], .msg_namelen = sizeof peers[i],
                                               .msg_iov = &parts[i], .msg_iovlen = 1};
        }
        int received = recvmmsg(sock, batch, BATCH, MSG_WAITFORONE, NULL);
        for (int i = 0; i < received; i++) {
            octets[i][2] |= (char)0x80;
            parts[i].iov_len = batch[i].msg_len;
        }
        for (int sent = 0; sent < received;) {
            int more = sendmmsg(sock, batch + sent, received - sent, 0);
            sent += more > 0 ? more : 1; /* one that cannot be sent is lost, as UDP may */
        }
    }
}
