/* One direction of a link: read from one TAP, held by its pipe until due, written to the other. See port.py and segments.py. */
#include "relay.h"
#include <errno.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const i64 MOST_HELD_BYTES = (i64)1 << 30, LARGEST_SEGMENT = 65536 + 64;
enum { HEADER_BYTES = 10, VLAN_TAG = 4 };

i64 clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (i64)now.tv_sec * 1000000000 + now.tv_nsec;
}

struct port *port_new(int source, int target, bool passed, struct pipe *pipe) {
    struct port *port = calloc(1, sizeof *port);
    if (!port) abort();
    port->source = source, port->target = target, port->passed = passed, port->pipe = pipe, port->next_ns = NEVER;
    port->largest = passed ? HEADER_BYTES + LARGEST_SEGMENT : pipe->shape.frame_bytes + VLAN_TAG;
    port->spare = frame_new(port->largest);
    return port;
}

/* Bytes of all frames that a segment stands for: its headers are sent once for each. */
static i64 wire_bytes(const struct frame *frame) {
    const struct virtio_net_hdr *header = (const void *)frame->content;
    i64 size = frame->length - HEADER_BYTES, transport = HEADER_BYTES + header->csum_start;
    int kind = header->gso_type & ~VIRTIO_NET_HDR_GSO_ECN;
    if (kind == VIRTIO_NET_HDR_GSO_NONE || !header->gso_size || transport + 13 > frame->length) return size;
    i64 headers = header->csum_start + (kind == 5 /* UDP_L4 */ ? 8 : (frame->content[transport + 12] >> 4) * 4);
    i64 frames = (size - headers + header->gso_size - 1) / header->gso_size;
    return size + (frames > 1 ? (frames - 1) * headers : 0);
}

/* The next frame, or NULL with errno. A nearly full one stays in the buffer that it was read into. */
static struct frame *read_frame(struct port *port) {
    ssize_t length = read(port->source, port->spare->content, (size_t)port->largest);
    if (length < 0) return NULL;
    struct frame *frame = port->spare;
    if (length * 4 > port->largest * 3) {
        frame_shrink(frame, length);
        port->spare = frame_new(port->largest);
    } else {
        frame = frame_new(length);
        memcpy(frame->content, port->spare->content, (size_t)length);
    }
    if (port->passed) frame->size_bytes = wire_bytes(frame);
    return frame;
}

/* Read up to one batch; false when the TAP no longer exists. */
bool port_take(struct port *port) {
    for (int n = 0; n < BATCH; n++) {
        struct frame *frame = read_frame(port);
        if (!frame) {
            bool drained = errno == EAGAIN;
            if (drained) port->behind_since_ns = 0;
            else port->gone = errno;
            port->next_ns = pipe_next_due(port->pipe);
            return drained;
        }
        if (frames_bytes() < MOST_HELD_BYTES) {
            pipe_offer(port->pipe, frame, clock_ns());
        } else {
            port->refused++;
            log_frame(port->pipe->number, REFUSED, frame, clock_ns());
            frame_free(frame);
        }
    }
    i64 now = clock_ns();
    if (!port->behind_since_ns) port->behind_since_ns = now;
    else if (now - port->behind_since_ns > port->intake_wait_max_ns) port->intake_wait_max_ns = now - port->behind_since_ns;
    port->next_ns = pipe_next_due(port->pipe);
    return true;
}

static void count_late(struct port *port, i64 late_ns) {
    if (late_ns > port->late_max_ns) port->late_max_ns = late_ns;
    if (late_ns < 8) {
        port->late[late_ns]++;
    } else {
        int shift = 63 - __builtin_clzll((unsigned long long)late_ns) - 3;
        port->late[((i64)shift << 3) + (late_ns >> shift)]++;
    }
}

/* Write up to one batch of frames that are due. */
void port_release(struct port *port) {
    for (int n = 0; n < BATCH; n++) {
        i64 now = clock_ns();
        struct frame *frame = pipe_release(port->pipe, now);
        if (!frame) break;
        count_late(port, now - frame->at_ns);
        if (frame->corrupt_bit != NONE) frame->content[frame->corrupt_bit >> 3] ^= 1 << (frame->corrupt_bit & 7);
        bool failed = write(port->target, frame->content, (size_t)frame->length) < 0; /* a full device, or one that is down */
        if (failed) port->failed++;
        else port->delivered++;
        log_frame(port->pipe->number, failed ? FAILED : RELEASED, frame, now);
        frame_free(frame);
    }
    port->next_ns = pipe_next_due(port->pipe);
}
