/* The relay's core: what pipe.py, queue.py, port.py, wake.py and loop.py do, in C and to the nanosecond the same.
 * It throws no dice: fates come from Python (fates.py), by a callback that is made where time allows. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int64_t i64;

#define NEVER ((i64)1 << 62)
#define NONE (-1)
enum { LOST = 1, TWICE = 2, OVERTAKES = 4, CORRUPT = 8 };
/* packet_log.py */
enum event { QUEUED = 1, RELEASED, QUEUE_FULL, CODEL, DOWN, GONE, FAILED, REFUSED };

static inline i64 later(i64 a, i64 b) { return a > b ? a : b; }
static inline i64 sooner(i64 a, i64 b) { return a < b ? a : b; }

struct shape { /* shape.py */
    i64 delay_ns, rate_bps, queue_bytes, queue_packets, codel_target_ns, codel_interval_ns, up, frame_bytes, trace_id;
    const i64 *times_ms;
    i64 times;
};

struct fate { /* fates.py, RECORD */
    i64 extra_ns;
    double corrupt_at;
    i64 flags;
};

struct frame {
    struct frame *next;
    i64 at_ns; /* when it was offered; from the wire on, when it is due */
    i64 corrupt_bit;
    struct fate first, second; /* the second only of a frame that is TWICE and not LOST */
    i64 size_bytes;            /* what it takes of queue and rate */
    i64 length, size;          /* of content; which of the sizes of frame.c it has */
    unsigned char content[];
};

struct list {
    struct frame *head, *tail;
    i64 count;
};

struct fates { /* a ring of records; whole frames only */
    struct fate *ring;
    i64 room, head, tail, frames;
    i64 stream; /* which of Python's streams they are from; 0: this direction has no effects */
};

struct counts { /* in the order of pipe.py's own */
    i64 packets, bytes, dropped_queue, dropped_codel, dropped_down, lost, duplicated, corrupted, overtook, held, changed_ns;
};

/* Asks for fates of a pipe by its number: those of one more frame at least are there afterwards. */
typedef void ask_more(i64 number, i64 stream);

struct pipe {
    struct shape shape;
    struct fates fates;
    struct counts counts;
    i64 seen_ns;
    struct list queue, wire, ahead;
    i64 queue_bytes, overtakers;                             /* of the queue */
    i64 above_ns, drop_next_ns, codel_count, codel_last;     /* CoDel */
    bool dropping;
    struct frame *sending;
    i64 start_ns, work, finish_ns, rest;                     /* at a rate; work in bits x 1e9 */
    i64 base_ns, round, chance, chance_ns, need_bytes;       /* a trace */
    i64 last_due_ns;
    struct { /* a change that is still to come */
        bool armed, keep_fates;
        i64 at_ns;
        struct shape shape;
        struct fates fates;
    } staged;
    ask_more *more;
    i64 number;
};

/* frame.c */
struct frame *frame_new(i64 length);
void frame_free(struct frame *frame);
void frame_shrink(struct frame *frame, i64 length);
i64 frames_bytes(void);
void list_append(struct list *list, struct frame *frame);
struct frame *list_pop(struct list *list);
void fates_push(struct fates *fates, const struct fate *records, i64 count, i64 frames);
void fates_take(struct fates *fates, struct frame *frame);

/* log.c */
void log_begin(void *memory, i64 bytes, i64 snap_bytes);
i64 log_end(i64 *left_out);
void log_frame(i64 port, enum event event, const struct frame *frame, i64 at_ns);

/* queue.c */
bool queue_room(const struct pipe *pipe, i64 size_bytes);
void queue_append(struct pipe *pipe, struct frame *frame);
struct frame *queue_pop(struct pipe *pipe);
struct frame *queue_take(struct pipe *pipe, i64 now_ns);
bool overtakes(const struct frame *frame);

/* pipe.c */
struct pipe *pipe_new(const struct shape *shape, i64 stream, i64 now_ns, i64 number, ask_more *more);
void pipe_free(struct pipe *pipe);
void pipe_push(struct pipe *pipe, bool staged, const struct fate *records, i64 count, i64 frames);
void pipe_stage(struct pipe *pipe, const struct shape *shape, i64 stream, bool keep_fates);
void pipe_apply(struct pipe *pipe, i64 at_ns);
bool pipe_offer(struct pipe *pipe, struct frame *frame, i64 now_ns);
i64 pipe_next_due(const struct pipe *pipe);
void pipe_advance(struct pipe *pipe, i64 now_ns);
struct frame *pipe_release(struct pipe *pipe, i64 now_ns);
void pipe_counts(struct pipe *pipe, struct counts *found);
