/* Frames, lists of them, and the ring of fates that Python fills. */
#include "core.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Frames of four sizes, used again last in first out: what was just written is still in the processor's cache. Memory is
 * taken from the kernel in large pages and never given back: what was held once may be held again, and page faults are late. */
static const i64 ROOMS[] = {256, 1536, 9728, 66048};
static const i64 CHUNK_BYTES = (i64)1 << 21;
enum { SIZES = sizeof ROOMS / sizeof *ROOMS };
static struct frame *spare[SIZES];
static unsigned char *chunk, *chunk_end;
static i64 held_bytes;

static struct frame *carve(i64 bytes) {
    if (chunk_end - chunk < bytes) {
        chunk = mmap(NULL, (size_t)(2 * CHUNK_BYTES), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (chunk == MAP_FAILED) abort();
        chunk = (unsigned char *)(((uintptr_t)chunk + (uintptr_t)CHUNK_BYTES - 1) & ~((uintptr_t)CHUNK_BYTES - 1));
        chunk_end = chunk + CHUNK_BYTES;
        madvise(chunk, (size_t)CHUNK_BYTES, MADV_HUGEPAGE);
    }
    chunk += bytes;
    return (struct frame *)(chunk - bytes);
}

struct frame *frame_new(i64 length) {
    int size = 0;
    while (ROOMS[size] < length) size++;
    struct frame *frame = spare[size];
    if (frame) spare[size] = frame->next;
    else frame = carve((i64)sizeof *frame + ROOMS[size]);
    memset(frame, 0, sizeof *frame);
    frame->size = size, frame->length = frame->size_bytes = length, frame->corrupt_bit = NONE;
    held_bytes += length;
    return frame;
}

void frame_free(struct frame *frame) {
    held_bytes -= frame->length;
    frame->next = spare[frame->size];
    spare[frame->size] = frame;
}

void frame_shrink(struct frame *frame, i64 length) {
    held_bytes -= frame->length - length;
    frame->length = frame->size_bytes = length;
}

i64 frames_bytes(void) { return held_bytes; }

void list_append(struct list *list, struct frame *frame) {
    frame->next = NULL;
    if (list->tail) list->tail->next = frame;
    else list->head = frame;
    list->tail = frame;
    list->count++;
}

struct frame *list_pop(struct list *list) {
    struct frame *frame = list->head;
    list->head = frame->next;
    if (!list->head) list->tail = NULL;
    list->count--;
    return frame;
}

void fates_push(struct fates *fates, const struct fate *records, i64 count, i64 frames) {
    if (fates->head + count - fates->tail > fates->room) { /* unwind into a larger ring */
        i64 have = fates->head - fates->tail, room = 256;
        while (room < have + count) room *= 2;
        struct fate *ring = malloc((size_t)room * sizeof *ring);
        if (!ring) abort();
        for (i64 n = 0; n < have; n++) ring[n] = fates->ring[(fates->tail + n) & (fates->room - 1)];
        free(fates->ring);
        fates->ring = ring, fates->room = room, fates->tail = 0, fates->head = have;
    }
    for (i64 n = 0; n < count; n++) fates->ring[fates->head++ & (fates->room - 1)] = records[n];
    fates->frames += frames;
}

void fates_take(struct fates *fates, struct frame *frame) {
    if (!fates->stream) {
        memset(&frame->first, 0, sizeof frame->first);
        return;
    }
    if (fates->frames < 1) abort(); /* the callback broke its word; the lab sees the relay die */
    fates->frames--;
    frame->first = fates->ring[fates->tail++ & (fates->room - 1)];
    if ((frame->first.flags & (TWICE | LOST)) == TWICE) frame->second = fates->ring[fates->tail++ & (fates->room - 1)];
}
