/* A port moves the frames of one direction between two TAPs; the relay serves the ports of one worker. */
#pragma once
#include "core.h"

enum { BUCKETS = 8 * 64, BATCH = 16 };

struct port {
    int source, target;
    bool passed; /* what is read has a virtio header, and may be a segment */
    struct pipe *pipe;
    struct frame *spare; /* of the largest size, to read into */
    i64 largest, next_ns, delivered, failed, refused, gone, behind_since_ns, intake_wait_max_ns, late_max_ns;
    i64 late[BUCKETS]; /* lateness.py */
};

struct waker { /* wake.py, Waker and Rest */
    i64 lead_ns, credit_ns, seen_ns, since_ns, rested_ns;
    bool watching;
};

struct awake { /* awake.py */
    int fd;
    bool allowed;
    i64 until_ns;
};

struct relay {
    int control, epoll;
    struct port **ports;
    i64 count;
    struct waker waker;
    struct awake awake;
    i64 seen_ns, stall_ns;
    bool watched;
    ask_more *more;
};

i64 clock_ns(void);

/* port.c */
struct port *port_new(int source, int target, bool passed, struct pipe *pipe);
bool port_take(struct port *port);
void port_release(struct port *port);

/* wake.c */
void waker_begin(struct waker *waker, i64 now_ns);
i64 waker_alarm(struct waker *waker, i64 due_ns, i64 now_ns);
void waker_woken(struct waker *waker, i64 late_ns);
void waker_slept(struct waker *waker, i64 from_ns, i64 to_ns);
i64 waker_owed(struct waker *waker, i64 now_ns);

/* awake.c */
void awake_frame(struct awake *awake, i64 now_ns);
i64 awake_idle(struct awake *awake, i64 now_ns);

/* relay.c */
struct relay *relay_new(int control, bool awake, ask_more *more);
i64 relay_add(struct relay *relay, int source, int target, bool passed, const struct shape *shape, i64 stream);
struct pipe *relay_pipe(struct relay *relay, i64 port);
void relay_apply(struct relay *relay, i64 port, i64 at_ns);
void relay_counts(struct relay *relay, i64 port, i64 *found);
i64 relay_late(struct relay *relay, i64 port, bool anew, i64 *buckets);
i64 relay_stall(struct relay *relay, bool watched);
int relay_run(struct relay *relay);
