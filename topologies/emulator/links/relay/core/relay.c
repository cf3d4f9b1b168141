/* The loop of one worker: TAPs and a control descriptor in one epoll, one thread. See loop.py. */
#include "relay.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const i64 BEAT_NS = 5000000;
static const i64 ASK_BELOW = 1024 - 64 + 1; /* fates kept ready, less a block (compiled.py); asked for while IDLE_NS are free */
static const i64 IDLE_NS = 500000;
enum { EVENTS = 64 };

struct relay *relay_new(int control, bool awake, ask_more *more) {
    struct relay *relay = calloc(1, sizeof *relay);
    if (!relay) abort();
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    relay->control = control, relay->more = more, relay->seen_ns = clock_ns();
    relay->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (relay->epoll < 0 || epoll_ctl(relay->epoll, EPOLL_CTL_ADD, control, &event) < 0) return NULL;
    waker_begin(&relay->waker, relay->seen_ns);
    relay->awake = (struct awake){.fd = -1, .allowed = awake};
    return relay;
}

i64 relay_add(struct relay *relay, int source, int target, bool passed, const struct shape *shape, i64 stream) {
    struct pipe *pipe = pipe_new(shape, stream, clock_ns(), relay->count, relay->more);
    struct port *port = port_new(source, target, passed, pipe);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = port};
    if (epoll_ctl(relay->epoll, EPOLL_CTL_ADD, source, &event) < 0) return -errno;
    relay->ports = realloc(relay->ports, (size_t)(relay->count + 1) * sizeof *relay->ports);
    if (!relay->ports) abort();
    relay->ports[relay->count] = port;
    return relay->count++;
}

struct pipe *relay_pipe(struct relay *relay, i64 port) { return relay->ports[port]->pipe; }

void relay_apply(struct relay *relay, i64 port, i64 at_ns) {
    pipe_apply(relay->ports[port]->pipe, at_ns);
    relay->ports[port]->next_ns = pipe_next_due(relay->ports[port]->pipe);
}

/* In the order of engine.COUNTS. */
void relay_counts(struct relay *relay, i64 number, i64 *found) {
    struct port *port = relay->ports[number];
    struct counts counts;
    pipe_advance(port->pipe, clock_ns());
    pipe_counts(port->pipe, &counts);
    i64 all[] = {counts.packets, counts.bytes, port->delivered, counts.dropped_queue, counts.dropped_codel, counts.dropped_down,
                 counts.lost, port->failed, counts.duplicated, counts.corrupted, counts.overtook, counts.held, port->refused,
                 port->intake_wait_max_ns, counts.changed_ns, port->gone};
    memcpy(found, all, sizeof all);
}

/* The buckets of lateness, and its maximum. */
i64 relay_late(struct relay *relay, i64 number, bool anew, i64 *buckets) {
    struct port *port = relay->ports[number];
    i64 most_ns = port->late_max_ns;
    memcpy(buckets, port->late, sizeof port->late);
    if (anew) memset(port->late, 0, sizeof port->late), port->late_max_ns = 0;
    return most_ns;
}

i64 relay_stall(struct relay *relay, bool watched) {
    i64 found = relay->stall_ns;
    relay->stall_ns = 0, relay->watched = watched;
    return found;
}

static i64 earliest(const struct relay *relay) {
    i64 due = NEVER;
    for (i64 n = 0; n < relay->count; n++)
        if (relay->ports[n]->next_ns < due) due = relay->ports[n]->next_ns;
    return due;
}

/* One batch of each port that has something due: reading must not starve while much is due. */
static void release(struct relay *relay) {
    for (i64 n = 0; n < relay->count; n++)
        if (relay->ports[n]->next_ns <= clock_ns()) port_release(relay->ports[n]);
}

/* Let Python make fates for the first port that is short of them. */
static bool prepare(struct relay *relay) {
    for (i64 n = 0; n < relay->count; n++) {
        struct fates *fates = &relay->ports[n]->pipe->fates;
        if (fates->stream && fates->frames < ASK_BELOW) {
            relay->more(n, fates->stream);
            return true;
        }
    }
    return false;
}

static int wait(struct relay *relay, struct epoll_event *events, i64 until_ns, i64 now_ns) {
    i64 left = until_ns > now_ns ? until_ns - now_ns : 0;
    struct timespec timeout = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
    int count = (int)syscall(SYS_epoll_pwait2, relay->epoll, events, EVENTS, until_ns < NEVER ? &timeout : NULL, NULL, 0);
    return count < 0 && errno == EINTR ? 0 : count;
}

static void note_stall(struct relay *relay, i64 stall_ns) {
    if (stall_ns > relay->stall_ns) relay->stall_ns = stall_ns;
}

/* Until the control descriptor is readable: 0; or the negative errno of what failed. */
int relay_run(struct relay *relay) {
    struct waker *waker = &relay->waker;
    struct epoll_event events[EVENTS];
    for (bool told = false; !told;) {
        i64 top = clock_ns(), owed = waker_owed(waker, top);
        note_stall(relay, top - relay->seen_ns);
        if (owed) {
            struct timespec pause = {.tv_nsec = owed};
            nanosleep(&pause, NULL);
            i64 after = clock_ns();
            waker_slept(waker, top, after);
            top = after;
        }
        i64 alarm = waker_alarm(waker, earliest(relay), top);
        i64 meant = !alarm ? top : sooner(alarm, sooner(awake_idle(&relay->awake, top), relay->watched ? top + BEAT_NS : NEVER));
        if (meant - top > IDLE_NS && prepare(relay)) meant = top;
        int count = wait(relay, events, meant, top);
        if (count < 0) return -errno;
        i64 now = relay->seen_ns = clock_ns();
        waker_slept(waker, top, now);
        note_stall(relay, now - meant);
        if (!count && alarm && meant == alarm) waker_woken(waker, now - alarm);
        for (int n = 0; n < count; n++) {
            struct port *port = events[n].data.ptr;
            if (!port) {
                told = true;
                continue;
            }
            awake_frame(&relay->awake, now);
            if (!port_take(port)) epoll_ctl(relay->epoll, EPOLL_CTL_DEL, port->source, NULL);
            if (port->next_ns <= clock_ns()) release(relay);
        }
        release(relay);
    }
    return 0;
}
