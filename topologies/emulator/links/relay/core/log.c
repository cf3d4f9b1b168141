/* What becomes of every frame, written into memory that the lab gave, while it gave some. See packet_log.py. */
#include "core.h"
#include <string.h>

struct record {
    i64 at_ns;
    int32_t port, event, length, kept;
};

static unsigned char *begin, *at, *end;
static i64 snap, left_out;

void log_begin(void *memory, i64 bytes, i64 snap_bytes) {
    begin = at = memory, end = begin + bytes, snap = snap_bytes, left_out = 0;
}

/* How many bytes it has; no more are written. */
i64 log_end(i64 *left) {
    i64 used = at - begin;
    *left = left_out;
    begin = at = end = NULL;
    return used;
}

void log_frame(i64 port, enum event event, const struct frame *frame, i64 at_ns) {
    if (!at) return;
    i64 kept = sooner(frame->length, snap), size = (i64)sizeof(struct record) + ((kept + 7) & ~(i64)7);
    if (end - at < size) {
        left_out++;
        return;
    }
    struct record record = {.at_ns = at_ns, .port = (int32_t)port, .event = event, .length = (int32_t)frame->length,
                            .kept = (int32_t)kept};
    memcpy(at, &record, sizeof record);
    memcpy(at + sizeof record, frame->content, (size_t)kept);
    at += size;
}
