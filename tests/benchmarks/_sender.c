/*
 * The limit: what this machine's kernel takes from one thread that does nothing but send().
 *
 *     sender CLIENTS BURST HEADS TURNS_PER_S SECONDS STAMPS
 *
 * Takes CLIENTS connections on a free port, which it prints as JSON; answers each handshake and
 * the first request without reading them. On a line of stdin it begins: each turn, BURST messages
 * (the lines of HEADS, each with the turn's number and a brace) as one send() for each client.
 * TURNS_PER_S is 0 for as fast as it goes. Stamps are written to STAMPS, as _receiver.c reads them.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static double cpu_s(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void send_all(int fd, const char *data, size_t size) {
    while (size) {
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
        if (n > 0) data += n, size -= n;
        else if (errno == EAGAIN) {
            struct pollfd wait = {.fd = fd, .events = POLLOUT};
            poll(&wait, 1, 1000);
        } else return;
    }
}

static void read_past(int fd, const char *end) {
    char text[65536];
    size_t have = 0;
    while (have < sizeof text) {
        ssize_t n = recv(fd, text + have, sizeof text - have, 0);
        if (n <= 0) exit(1);
        have += n;
        if (!end || memmem(text, have, end, strlen(end))) return;
    }
}

static size_t frame(char *to, const char *head, size_t size, uint64_t turn) {
    char number[24];
    int digits = snprintf(number, sizeof number, "%lu}", turn);
    size_t payload = size + digits, at = 0;
    to[at++] = (char)0x81;
    if (payload < 126) to[at++] = (char)payload;
    else to[at++] = 126, to[at++] = (char)(payload >> 8), to[at++] = (char)payload;
    memcpy(to + at, head, size);
    memcpy(to + at + size, number, digits);
    return at + payload;
}

int main(int argc, char **argv) {
    if (argc < 7) return 2;
    int clients = atoi(argv[1]), burst = atoi(argv[2]), *fds = calloc(clients, sizeof *fds);
    double rate = atof(argv[4]), seconds = atof(argv[5]);
    FILE *lines = fopen(argv[3], "r");
    char **heads = calloc(burst, sizeof *heads), *line = 0;
    size_t *sizes = calloc(burst, sizeof *sizes), room = 0;
    for (int i = 0; i < burst; i++) {
        ssize_t n = getline(&line, &room, lines);
        if (n <= 0) return 2;
        heads[i] = memcpy(malloc(n), line, n);
        sizes[i] = n - 1;
    }
    int file = open(argv[6], O_RDWR);
    struct stat s;
    if (file < 0 || fstat(file, &s)) return 2;
    uint64_t *stamps = mmap(0, s.st_size, PROT_WRITE | PROT_READ, MAP_SHARED, file, 0);
    uint64_t turns = s.st_size / 8;
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t length = sizeof at;
    inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    bind(listener, (struct sockaddr *)&at, sizeof at);
    listen(listener, 4096);
    getsockname(listener, (struct sockaddr *)&at, &length);
    printf("{\"port\":%d}\n", ntohs(at.sin_port));
    fflush(stdout);
    static const char answer[] =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    static const char reply[] = "\x81\x20{\"type\":\"subscription_response\"}";
    for (int i = 0; i < clients; i++) {
        fds[i] = accept(listener, 0, 0);
        setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        read_past(fds[i], "\r\n\r\n");
        send_all(fds[i], answer, sizeof answer - 1);
        read_past(fds[i], 0);
        send_all(fds[i], reply, sizeof reply - 1);
        fcntl(fds[i], F_SETFL, O_NONBLOCK);
    }
    char go[8], *data = malloc(burst * 70000ull);
    if (!fgets(go, sizeof go, stdin)) return 1;
    double cpu = cpu_s();
    uint64_t began = now_ns(), until = began + (uint64_t)(seconds * 1e9), turn = 0;
    while (now_ns() < until && turn + 1 < turns) {
        if (rate > 0) {
            uint64_t due = began + (uint64_t)(turn * 1e9 / rate);
            struct timespec t = {due / 1000000000ull, due % 1000000000ull};
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, 0);
        }
        stamps[++turn] = now_ns();
        size_t size = 0;
        for (int i = 0; i < burst; i++) size += frame(data + size, heads[i], sizes[i], turn);
        for (int i = 0; i < clients; i++) send_all(fds[i], data, size);
    }
    cpu = cpu_s() - cpu;
    printf("{\"turns\":%lu,\"cpu_s\":%.6f,\"wall_s\":%.6f}\n", turn, cpu, (now_ns() - began) / 1e9);
    fflush(stdout);
    for (int i = 0; i < clients; i++) shutdown(fds[i], SHUT_WR);
    for (int i = 0; i < clients; i++) {
        char rest[4096];
        struct pollfd wait = {.fd = fds[i], .events = POLLIN};
        while (poll(&wait, 1, 10000) > 0 && recv(fds[i], rest, sizeof rest, 0) > 0) {}
    }
    return 0;
}
