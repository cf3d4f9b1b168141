/* The queue: drop-tail in bytes or packets, CoDel at its head (RFC 8289, section 5). See queue.py and codel.py. */
#include "core.h"

bool overtakes(const struct frame *frame) {
    i64 flags = frame->first.flags;
    if ((flags & (TWICE | LOST)) == TWICE) flags |= frame->second.flags;
    return flags & OVERTAKES;
}

bool queue_room(const struct pipe *pipe, i64 size_bytes) {
    if (pipe->shape.queue_packets != NONE) return pipe->queue.count < pipe->shape.queue_packets;
    return pipe->queue_bytes + size_bytes <= pipe->shape.queue_bytes;
}

void queue_append(struct pipe *pipe, struct frame *frame) {
    list_append(&pipe->queue, frame);
    pipe->queue_bytes += frame->size_bytes;
    pipe->overtakers += overtakes(frame);
}

struct frame *queue_pop(struct pipe *pipe) {
    struct frame *frame = list_pop(&pipe->queue);
    pipe->queue_bytes -= frame->size_bytes;
    pipe->overtakers -= overtakes(frame);
    return frame;
}

static i64 square_root(uint64_t value) {
    uint64_t root = 0, bit = (uint64_t)1 << 62;
    while (bit > value) bit >>= 2;
    for (; bit; bit >>= 2) {
        if (value >= root + bit) value -= root + bit, root = (root >> 1) + bit;
        else root >>= 1;
    }
    return (i64)root;
}

static i64 control_law(i64 at_ns, i64 interval_ns, i64 count) {
    return at_ns + (i64)(((__int128)interval_ns << 16) / square_root((uint64_t)count << 32));
}

/* The head, and in *may_drop whether frames have waited too long for long enough: dodequeue, section 5.6. */
static struct frame *look(struct pipe *pipe, i64 now_ns, bool *may_drop) {
    *may_drop = false;
    if (!pipe->queue.head) {
        pipe->above_ns = 0;
        return NULL;
    }
    struct frame *frame = queue_pop(pipe);
    if (now_ns - frame->at_ns < pipe->shape.codel_target_ns || pipe->queue_bytes <= pipe->shape.frame_bytes)
        pipe->above_ns = 0;
    else if (pipe->above_ns == 0)
        pipe->above_ns = now_ns + pipe->shape.codel_interval_ns;
    else
        *may_drop = now_ns >= pipe->above_ns;
    return frame;
}

static struct frame *drop(struct pipe *pipe, struct frame *frame, i64 now_ns, bool *may_drop) {
    log_frame(pipe->number, CODEL, frame, now_ns);
    frame_free(frame);
    pipe->counts.dropped_codel++;
    return look(pipe, now_ns, may_drop);
}

struct frame *queue_take(struct pipe *pipe, i64 now_ns) {
    i64 interval_ns = pipe->shape.codel_interval_ns;
    if (pipe->shape.codel_target_ns == NONE) return pipe->queue.head ? queue_pop(pipe) : NULL;
    bool may_drop;
    struct frame *frame = look(pipe, now_ns, &may_drop);
    if (pipe->dropping) {
        pipe->dropping = may_drop;
        while (pipe->dropping && now_ns >= pipe->drop_next_ns) {
            pipe->codel_count++;
            frame = drop(pipe, frame, now_ns, &pipe->dropping);
            if (pipe->dropping) pipe->drop_next_ns = control_law(pipe->drop_next_ns, interval_ns, pipe->codel_count);
        }
    } else if (may_drop) {
        frame = drop(pipe, frame, now_ns, &may_drop);
        pipe->dropping = true;
        i64 delta = pipe->codel_count - pipe->codel_last;
        bool recent = delta > 1 && now_ns - pipe->drop_next_ns < 16 * interval_ns;
        pipe->codel_count = pipe->codel_last = recent ? delta : 1;
        pipe->drop_next_ns = control_law(now_ns, interval_ns, pipe->codel_count);
    }
    return frame;
}
