/*
 * Many WebSocket clients in one thread, so cheap that they are not what is measured.
 *
 *     receiver HOST PORT CLIENTS REQUESTS [STAMPS [SAMPLE [STILL [NAP_US [DEFLATE]]]]]
 *
 * Client i connects as bench-i and sends line i of the file REQUESTS (the last line, where there
 * are fewer). "ready" is printed once each has been answered. Then all messages of type
 * market_data are counted, until every server has hung up; a JSON object says what came.
 *
 * STAMPS ("" for none): a file of 64-bit times (CLOCK_MONOTONIC, ns); entry n is when the updates
 * of turn n were made. A message's turn is the "seq" at its end. Latency is from there to the
 * recv() that brought the message. Turns that go back in any client are counted as disorder.
 * SAMPLE ("" for none): client 0's messages are written there, one a line, and those of STILL to
 * SAMPLE.still.
 * Of client 0 each instrument's "seq" is followed besides: what does not come after the one before
 * is disorder, what does not come next is a gap.
 * STILL (-1 for none): this client does not read from "ready" on until a line comes on stdin.
 * NAP_US: how long to rest after each look, so that the next finds more. On a machine with a core
 * for this program it rests without giving the core away: what else runs there would be in the
 * way of the server on the next one. It is busy in the time that is not rest. Below 0: so long, and
 * the core is given away, for servers that need more than one.
 * DEFLATE (0 for no): all clients but client 0 offer permessage-deflate. Compressed messages are
 * counted and not looked into; the first one may be the answer to the request.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ROOM (1 << 18)
#define TRANSCRIPT_BYTES (192u << 20)
#define SLOTS 4000000 /* of 1 us */

struct client {
    int fd, open, upgraded, answered;
    size_t have;
    uint64_t count, seq;
    char *buffer;
};

static uint64_t *stamps, turns, received, bytes, disorder, gaps, *slots, first_ns, last_ns;
static uint64_t busy_ns, first_busy_ns;
static char *kept[2];
static size_t kept_bytes[2];
static int still = -1, answered, clients, open_clients;

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void rest(uint64_t until, int alone) {
    if (!alone) {
        uint64_t now = now_ns();
        usleep(until > now + 20000 ? (until - now) / 1000 : 20);
        return;
    }
    while (now_ns() < until)
        for (int i = 0; i < 16; i++) {
#if defined(__x86_64__)
            __builtin_ia32_pause();
#elif defined(__aarch64__)
            __asm__ volatile("isb");
#endif
        }
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void send_frame(int fd, int opcode, const char *payload, size_t size) {
    /* A mask of zeros is a mask; the payload stays as it is. */
    char *frame = malloc(size + 14);
    size_t at = 0;
    frame[at++] = (char)(0x80 | opcode);
    if (size < 126) frame[at++] = (char)(0x80 | size);
    else if (size < 65536) {
        frame[at++] = (char)(0x80 | 126);
        frame[at++] = (char)(size >> 8);
        frame[at++] = (char)size;
    } else {
        frame[at++] = (char)(0x80 | 127);
        for (int shift = 56; shift >= 0; shift -= 8) frame[at++] = (char)((uint64_t)size >> shift);
    }
    memset(frame + at, 0, 4);
    at += 4;
    memcpy(frame + at, payload, size);
    at += size;
    for (size_t sent = 0; sent < at;) {
        ssize_t n = send(fd, frame + sent, at - sent, MSG_NOSIGNAL);
        if (n > 0) sent += n;
        else if (errno != EAGAIN) break;
    }
    free(frame);
}

static void keep(int which, const char *payload, size_t size) {
    if (!kept[which]) kept[which] = malloc(TRANSCRIPT_BYTES);
    if (kept_bytes[which] + size + 1 > TRANSCRIPT_BYTES) return;
    memcpy(kept[which] + kept_bytes[which], payload, size);
    kept_bytes[which] += size;
    kept[which][kept_bytes[which]++] = '\n';
}

#define NAMES (1 << 16)
static struct { uint64_t name, seq; } known[NAMES];

static void follow(const char *payload, size_t size, uint64_t seq) {
    static const char mark[] = "\"symbol\":\"";
    const char *end = payload + size, *at = memmem(payload, size < 64 ? size : 64, mark, 10);
    if (!at) fprintf(stderr, "a message without symbol\n"), exit(1);
    uint64_t name = 14695981039346656037ull;
    for (at += 10; at < end && *at != '"'; at++) name = (name ^ (unsigned char)*at) * 1099511628211ull;
    size_t i = name % NAMES;
    while (known[i].name && known[i].name != name) i = (i + 1) % NAMES;
    if (known[i].name) {
        disorder += seq <= known[i].seq;
        gaps += seq > known[i].seq + 1;
    }
    known[i].name = name;
    known[i].seq = seq;
}

static uint64_t seq_of(const char *payload, size_t size) {
    uint64_t seq = 0, unit = 1;
    for (size_t i = size - 2; i > 0 && payload[i] >= '0' && payload[i] <= '9'; i--, unit *= 10)
        seq += unit * (payload[i] - '0');
    return seq;
}

static void message(struct client *c, int index, const char *payload, size_t size, uint64_t at) {
    static const char head[] = "{\"type\":\"market_data\"";
    if (size < sizeof head || memcmp(payload, head, sizeof head - 1)) {
        if (!c->answered && memmem(payload, size < 200 ? size : 200, "subscription_response", 21)) {
            c->answered = 1;
            answered++;
        }
        return;
    }
    if (!first_ns) first_ns = at, first_busy_ns = busy_ns;
    c->count++;
    received++;
    bytes += size;
    if (index == 0) follow(payload, size, seq_of(payload, size));
    if (turns) {
        uint64_t seq = seq_of(payload, size);
        if (seq < c->seq) disorder++;
        c->seq = seq;
        if (index != still && seq < turns && stamps[seq]) {
            uint64_t us = (at - stamps[seq]) / 1000;
            slots[us < SLOTS ? us : SLOTS - 1]++;
        }
    }
    if (index == 0 || index == still) keep(index == still, payload, size);
}

static void compressed(struct client *c, size_t size, uint64_t at) {
    if (!c->answered) {
        c->answered = 1;
        answered++;
        return;
    }
    if (!first_ns) first_ns = at, first_busy_ns = busy_ns;
    c->count++;
    received++;
    bytes += size;
}

static void hang_up(struct client *c) {
    if (c->open) close(c->fd), c->open = 0, open_clients--;
}

static void parse(struct client *c, int index, uint64_t at) {
    size_t start = 0;
    if (!c->upgraded) {
        char *end = memmem(c->buffer, c->have, "\r\n\r\n", 4);
        if (!end) return;
        if (memcmp(c->buffer, "HTTP/1.1 101", 12)) fprintf(stderr, "%.200s\n", c->buffer), exit(1);
        c->upgraded = 1;
        start = end + 4 - c->buffer;
    }
    while (c->have - start >= 2) {
        const unsigned char *f = (unsigned char *)c->buffer + start;
        size_t size = f[1] & 127, width = 2;
        if (size == 126) {
            if (c->have - start < 4) break;
            size = f[2] << 8 | f[3], width = 4;
        } else if (size == 127) {
            if (c->have - start < 10) break;
            size = 0, width = 10;
            for (int i = 2; i < 10; i++) size = size << 8 | f[i];
        }
        if (c->have - start < width + size) break;
        if (f[0] == 0x81) message(c, index, (const char *)f + width, size, at);
        else if (f[0] == 0xc1) compressed(c, size, at);
        else if (f[0] == 0x89) send_frame(c->fd, 10, (const char *)f + width, size);
        else if (f[0] == 0x88) {
            send_frame(c->fd, 8, (const char *)f + width, size);
            hang_up(c);
            return;
        } else fprintf(stderr, "client %d: found frame %02x\n", index, f[0]), exit(1);
        start += width + size;
    }
    memmove(c->buffer, c->buffer + start, c->have -= start);
    if (c->have == ROOM) fprintf(stderr, "client %d: a message is too long\n", index), exit(1);
}

static void look(struct client *c, int index) {
    for (;;) {
        size_t room = ROOM - c->have;
        ssize_t n = recv(c->fd, c->buffer + c->have, room, 0);
        if (n <= 0) {
            if (n == 0 || errno != EAGAIN) hang_up(c);
            return;
        }
        uint64_t at = now_ns(), before = received;
        c->have += n;
        parse(c, index, at);
        if (received != before) last_ns = at;
        if (!c->open || (size_t)n < room) return;
    }
}

static uint64_t quantile(double share) {
    uint64_t total = 0, seen = 0;
    for (int i = 0; i < SLOTS; i++) total += slots[i];
    for (int i = 0; i < SLOTS; i++)
        if ((seen += slots[i]) >= share * total) return i;
    return SLOTS;
}

static void write_kept(const char *path, const char *more, int which) {
    char name[4096];
    snprintf(name, sizeof name, "%s%s", path, more);
    FILE *out = fopen(name, "w");
    if (!out || fwrite(kept[which] ? kept[which] : "", 1, kept_bytes[which], out) != kept_bytes[which])
        fail(name);
    fclose(out);
}

int main(int argc, char **argv) {
    if (argc < 5) return 2;
    const char *host = argv[1], *sample = argc > 6 ? argv[6] : "";
    int port = atoi(argv[2]), nap_us = argc > 8 ? atoi(argv[8]) : 0, shares = nap_us < 0;
    nap_us = abs(nap_us);
    clients = atoi(argv[3]);
    int deflate = argc > 9 && atoi(argv[9]);
    if (argc > 7) still = atoi(argv[7]);
    slots = calloc(SLOTS, sizeof *slots);
    if (argc > 5 && *argv[5]) {
        int fd = open(argv[5], O_RDONLY);
        struct stat s;
        if (fd < 0 || fstat(fd, &s)) fail(argv[5]);
        turns = s.st_size / 8;
        stamps = mmap(0, s.st_size, PROT_READ, MAP_SHARED, fd, 0);
    }
    FILE *requests = fopen(argv[4], "r");
    if (!requests) fail(argv[4]);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    int epoll = epoll_create1(0);
    struct client *all = calloc(clients, sizeof *all);
    char *request = 0, text[512];
    size_t room = 0;
    for (int i = 0; i < clients; i++) {
        struct client *c = &all[i];
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
        inet_pton(AF_INET, host, &to.sin_addr);
        c->fd = socket(AF_INET, SOCK_STREAM, 0);
        int small = 1 << 16, one = 1;
        if (i == still) setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        if (connect(c->fd, (struct sockaddr *)&to, sizeof to)) fail("connect");
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        c->buffer = malloc(ROOM);
        c->open = 1;
        open_clients++;
        int size = snprintf(text, sizeof text,
            "GET /enhanced-stream?client_id=bench-%d HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n%s\r\n", i, host, port,
            deflate && i ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "");
        if (send(c->fd, text, size, 0) != size) fail("send");
        while (!c->upgraded) {
            ssize_t n = recv(c->fd, c->buffer + c->have, ROOM - c->have, 0);
            if (n <= 0) fail("handshake");
            c->have += n;
            parse(c, i, 0);
        }
        ssize_t length = getline(&request, &room, requests);
        static ssize_t latest;
        if (length > 0) latest = length;
        send_frame(c->fd, 1, request, latest - 1);
        fcntl(c->fd, F_SETFL, O_NONBLOCK);
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event);
        parse(c, i, 0);
    }
    struct epoll_event events[1024];
    int told = 0, alone = !shares && sysconf(_SC_NPROCESSORS_ONLN) > 1;
    uint64_t last_event = now_ns();
    fcntl(0, F_SETFL, O_NONBLOCK);
    while (open_clients) {
        if (!told && answered == clients) {
            told = 1;
            printf("ready\n");
            fflush(stdout);
            if (still >= 0) {
                epoll_ctl(epoll, EPOLL_CTL_DEL, all[still].fd, 0);
                struct epoll_event event = {.events = EPOLLIN, .data.u32 = UINT32_MAX};
                epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &event);
            }
        }
        uint64_t looked = now_ns();
        int n = epoll_wait(epoll, events, 1024, 0);
        if (n == 0) {
            if (looked - last_event > 60000000000ull)
                fprintf(stderr, "nothing came for 60 s\n"), exit(1);
            rest(looked + (told && nap_us ? nap_us : 5) * 1000ull, alone && told);
            continue;
        }
        for (int i = 0; i < n; i++) {
            uint32_t index = events[i].data.u32;
            if (index == UINT32_MAX) {
                epoll_ctl(epoll, EPOLL_CTL_DEL, 0, 0);
                struct epoll_event event = {.events = EPOLLIN, .data.u32 = still};
                epoll_ctl(epoll, EPOLL_CTL_ADD, all[still].fd, &event);
            } else if (all[index].open) look(&all[index], index);
        }
        last_event = now_ns();
        busy_ns += last_event - looked;
        if (nap_us && told) rest(looked + nap_us * 1000ull, alone);
    }
    uint64_t least = UINT64_MAX, most = 0;
    for (int i = 0; i < clients; i++) {
        if (i == still) continue;
        if (all[i].count < least) least = all[i].count;
        if (all[i].count > most) most = all[i].count;
    }
    double wall = (last_ns - first_ns) / 1e9;
    printf("{\"received\":%lu,\"least\":%lu,\"most\":%lu,\"still\":%lu,\"bytes\":%lu,\"wall_s\":%.6f,"
           "\"busy\":%.4f,\"disorder\":%lu,\"gaps\":%lu,\"p50_us\":%lu,\"p99_us\":%lu,\"p999_us\":%lu}\n",
           received, least, most, still < 0 ? 0 : all[still].count, bytes, wall,
           wall > 0 ? (busy_ns - first_busy_ns) / 1e9 / wall : 0, disorder, gaps,
           quantile(.5), quantile(.99), quantile(.999));
    if (*sample) {
        write_kept(sample, "", 0);
        if (still >= 0) write_kept(sample, ".still", 1);
    }
    return 0;
}
