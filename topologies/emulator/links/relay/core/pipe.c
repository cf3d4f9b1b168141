/* One direction as arithmetic. pipe.py is the reference and says why. */
#include "core.h"
#include <stdlib.h>
#include <string.h>

enum { CHANCE_BYTES = 1500, ETHERNET_HEADER = 14 };
static const i64 BIT_NS = 1000000000, MS_NS = 1000000;

struct pipe *pipe_new(const struct shape *shape, i64 stream, i64 now_ns, i64 number, ask_more *more) {
    struct pipe *pipe = calloc(1, sizeof *pipe);
    if (!pipe) abort();
    pipe->shape = *shape, pipe->fates.stream = stream;
    pipe->seen_ns = pipe->base_ns = pipe->counts.changed_ns = now_ns;
    pipe->chance_ns = NEVER, pipe->last_due_ns = -NEVER;
    pipe->number = number, pipe->more = more;
    return pipe;
}

void pipe_free(struct pipe *pipe) {
    struct list *lists[] = {&pipe->queue, &pipe->wire, &pipe->ahead};
    for (int n = 0; n < 3; n++)
        while (lists[n]->head) frame_free(list_pop(lists[n]));
    if (pipe->sending) frame_free(pipe->sending);
    free(pipe->fates.ring);
    free(pipe->staged.fates.ring);
    free(pipe);
}

void pipe_push(struct pipe *pipe, bool staged, const struct fate *records, i64 count, i64 frames) {
    fates_push(staged ? &pipe->staged.fates : &pipe->fates, records, count, frames);
}

static void meet(struct pipe *pipe, struct frame *frame) {
    if (pipe->fates.stream && !pipe->fates.frames) pipe->more(pipe->number, pipe->fates.stream);
    fates_take(&pipe->fates, frame);
}

/* Onto the wire by one fate. */
static void travel(struct pipe *pipe, struct frame *frame, const struct fate *fate, i64 at_ns) {
    if (fate->flags & CORRUPT) {
        pipe->counts.corrupted++;
        frame->corrupt_bit = (i64)(fate->corrupt_at * (double)(frame->size_bytes * 8));
    }
    if (fate->flags & OVERTAKES) {
        pipe->counts.overtook++;
        frame->at_ns = at_ns;
        list_append(&pipe->ahead, frame);
    } else {
        frame->at_ns = pipe->last_due_ns = later(pipe->last_due_ns, at_ns + pipe->shape.delay_ns + fate->extra_ns);
        list_append(&pipe->wire, frame);
    }
}

static void leave(struct pipe *pipe, struct frame *frame, i64 at_ns) {
    i64 flags = frame->first.flags;
    struct frame *copy = NULL;
    pipe->counts.duplicated += (flags & TWICE) != 0;
    pipe->counts.lost += (flags & LOST) != 0;
    if (flags & LOST) log_frame(pipe->number, GONE, frame, at_ns);
    if ((flags & (TWICE | LOST)) == TWICE) {
        if (frame->second.flags & LOST) {
            pipe->counts.lost++;
            log_frame(pipe->number, GONE, frame, at_ns);
        } else {
            copy = frame_new(frame->length);
            copy->size_bytes = frame->size_bytes;
            memcpy(copy->content, frame->content, (size_t)frame->length);
        }
    }
    struct fate second = frame->second;
    if ((flags & (TWICE | LOST)) == LOST) {
        frame_free(frame);
    } else {
        struct fate first = frame->first;
        travel(pipe, frame, &first, at_ns);
    }
    if (copy) travel(pipe, copy, &second, at_ns);
}

static void work_from(struct pipe *pipe, i64 at_ns, i64 work) {
    pipe->start_ns = at_ns, pipe->work = work;
    pipe->finish_ns = at_ns + work / pipe->shape.rate_bps, pipe->rest = work % pipe->shape.rate_bps;
}

static void send_next(struct pipe *pipe, i64 at_ns) {
    pipe->sending = queue_take(pipe, at_ns);
    if (pipe->sending) work_from(pipe, at_ns, pipe->sending->size_bytes * 8 * BIT_NS + pipe->rest);
}

static void chance_at(struct pipe *pipe) {
    const struct shape *shape = &pipe->shape;
    if (pipe->chance == shape->times) pipe->round++, pipe->chance = 0;
    pipe->chance_ns = pipe->base_ns + (pipe->round * shape->times_ms[shape->times - 1] + shape->times_ms[pipe->chance]) * MS_NS;
}

/* The first chance after now: those that found nothing to deliver are lost. */
static void seek(struct pipe *pipe, i64 now_ns) {
    const i64 *times = pipe->shape.times_ms;
    i64 period_ns = times[pipe->shape.times - 1] * MS_NS, since_ms = (now_ns - pipe->base_ns) % period_ns / MS_NS;
    i64 low = 0, high = pipe->shape.times;
    while (low < high) {
        i64 middle = (low + high) / 2;
        if (since_ms < times[middle]) high = middle;
        else low = middle + 1;
    }
    pipe->round = (now_ns - pipe->base_ns) / period_ns, pipe->chance = low;
    chance_at(pipe);
}

static void deliver(struct pipe *pipe, i64 at_ns) {
    for (i64 left = CHANCE_BYTES; left;) {
        if (!pipe->sending) {
            pipe->sending = queue_take(pipe, at_ns);
            if (!pipe->sending) return;
            pipe->need_bytes = later(1, pipe->sending->size_bytes - ETHERNET_HEADER);
        }
        i64 part = sooner(left, pipe->need_bytes);
        left -= part, pipe->need_bytes -= part;
        if (!pipe->need_bytes) {
            struct frame *sent = pipe->sending;
            pipe->sending = NULL;
            leave(pipe, sent, at_ns);
        }
    }
}

static void drain(struct pipe *pipe, i64 now_ns) {
    if (pipe->shape.trace_id != NONE) {
        while (pipe->chance_ns <= now_ns && (pipe->sending || pipe->queue.head)) {
            deliver(pipe, pipe->chance_ns);
            pipe->chance++;
            chance_at(pipe);
        }
        return;
    }
    while (pipe->sending && pipe->finish_ns <= now_ns) {
        struct frame *sent = pipe->sending;
        i64 at_ns = pipe->finish_ns;
        send_next(pipe, at_ns);
        leave(pipe, sent, at_ns);
    }
}

static void become(struct pipe *pipe, i64 at_ns) {
    struct shape old = pipe->shape;
    i64 left_work = 0;
    pipe->shape = pipe->staged.shape, pipe->counts.changed_ns = at_ns;
    if (!pipe->staged.keep_fates) {
        free(pipe->fates.ring);
        pipe->fates = pipe->staged.fates;
        memset(&pipe->staged.fates, 0, sizeof pipe->staged.fates);
        if (pipe->sending) meet(pipe, pipe->sending);
        pipe->overtakers = 0;
        for (struct frame *frame = pipe->queue.head; frame; frame = frame->next) {
            meet(pipe, frame);
            pipe->overtakers += overtakes(frame);
        }
    }
    if (pipe->sending)
        left_work = old.trace_id != NONE ? pipe->need_bytes * 8 * BIT_NS
                                         : pipe->work - (at_ns - pipe->start_ns) * old.rate_bps;
    if (pipe->shape.trace_id != NONE) {
        if (pipe->shape.trace_id != old.trace_id) {
            pipe->base_ns = at_ns, pipe->need_bytes = (left_work + 8 * BIT_NS - 1) / (8 * BIT_NS);
            seek(pipe, at_ns);
        }
    } else if (pipe->shape.rate_bps != NONE) {
        if (pipe->sending) {
            work_from(pipe, at_ns, left_work);
        } else if (pipe->queue.head) { /* of a trace, whose chance had not come */
            pipe->rest = 0;
            send_next(pipe, at_ns);
        }
    } else {
        struct frame *sending = pipe->sending;
        pipe->sending = NULL;
        if (sending) leave(pipe, sending, at_ns);
        while (pipe->queue.head) leave(pipe, queue_pop(pipe), at_ns);
    }
}

void pipe_stage(struct pipe *pipe, const struct shape *shape, i64 stream, bool keep_fates) {
    free(pipe->staged.fates.ring);
    memset(&pipe->staged, 0, sizeof pipe->staged);
    pipe->staged.shape = *shape, pipe->staged.keep_fates = keep_fates, pipe->staged.fates.stream = stream;
}

void pipe_apply(struct pipe *pipe, i64 at_ns) { pipe->staged.at_ns = at_ns, pipe->staged.armed = true; }

void pipe_advance(struct pipe *pipe, i64 now_ns) {
    if (pipe->staged.armed && pipe->staged.at_ns <= now_ns) {
        i64 at_ns = later(pipe->staged.at_ns, pipe->seen_ns);
        pipe->staged.armed = false;
        drain(pipe, at_ns);
        become(pipe, at_ns);
    }
    drain(pipe, now_ns);
    pipe->seen_ns = now_ns;
}

/* The frame is the pipe's from now on; false: it was dropped at once. */
bool pipe_offer(struct pipe *pipe, struct frame *frame, i64 now_ns) {
    pipe_advance(pipe, now_ns);
    const struct shape *shape = &pipe->shape;
    pipe->counts.packets++, pipe->counts.bytes += frame->size_bytes;
    frame->at_ns = now_ns;
    meet(pipe, frame);
    if (!shape->up) {
        pipe->counts.dropped_down++;
        log_frame(pipe->number, DOWN, frame, now_ns);
    } else if (shape->trace_id == NONE && shape->rate_bps == NONE) {
        log_frame(pipe->number, QUEUED, frame, now_ns);
        leave(pipe, frame, now_ns);
        return true;
    } else {
        bool idle = !pipe->sending && !pipe->queue.head;
        if (idle || queue_room(pipe, frame->size_bytes)) {
            log_frame(pipe->number, QUEUED, frame, now_ns);
            queue_append(pipe, frame);
            if (idle && shape->trace_id != NONE) {
                seek(pipe, now_ns);
            } else if (idle) {
                pipe->rest = 0;
                send_next(pipe, now_ns);
            }
            return true;
        }
        pipe->counts.dropped_queue++;
        log_frame(pipe->number, QUEUE_FULL, frame, now_ns);
    }
    frame_free(frame);
    return false;
}

i64 pipe_next_due(const struct pipe *pipe) {
    const struct shape *shape = &pipe->shape;
    const struct frame *sending = pipe->sending;
    i64 due = pipe->staged.armed ? pipe->staged.at_ns : NEVER;
    if (pipe->wire.head) due = sooner(due, pipe->wire.head->at_ns);
    if (pipe->ahead.head) due = sooner(due, pipe->ahead.head->at_ns);
    if (shape->trace_id != NONE) {
        if (sending || pipe->queue.head)
            due = sooner(due, pipe->fates.stream ? pipe->chance_ns : later(pipe->last_due_ns, pipe->chance_ns + shape->delay_ns));
    } else if (sending) {
        if (pipe->overtakers || overtakes(sending) || sending->first.flags & LOST)
            due = sooner(due, pipe->finish_ns);
        else
            due = sooner(due, later(pipe->last_due_ns, pipe->finish_ns + shape->delay_ns + sending->first.extra_ns));
    }
    return due;
}

struct frame *pipe_release(struct pipe *pipe, i64 now_ns) {
    pipe_advance(pipe, now_ns);
    struct frame *wire = pipe->wire.head, *ahead = pipe->ahead.head;
    if (ahead && ahead->at_ns <= now_ns && !(wire && wire->at_ns <= ahead->at_ns)) return list_pop(&pipe->ahead);
    return wire && wire->at_ns <= now_ns ? list_pop(&pipe->wire) : NULL;
}

void pipe_counts(struct pipe *pipe, struct counts *found) {
    *found = pipe->counts;
    found->held = pipe->queue.count + pipe->wire.count + pipe->ahead.count + (pipe->sending != NULL);
}
