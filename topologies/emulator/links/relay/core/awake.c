/* Keeps processors from sleeping while frames pass. awake.py is the reference and says why. */
#include "relay.h"
#include <fcntl.h>
#include <unistd.h>

static const i64 HOLD_NS = 1000000000;

void awake_frame(struct awake *awake, i64 now_ns) {
    awake->until_ns = now_ns + HOLD_NS;
    if (awake->fd >= 0 || !awake->allowed) return;
    awake->fd = open("/dev/cpu_dma_latency", O_WRONLY | O_CLOEXEC);
    int32_t most_us = 0;
    if (awake->fd < 0 || write(awake->fd, &most_us, sizeof most_us) < 0) awake->allowed = false;
}

/* When to be asked again. */
i64 awake_idle(struct awake *awake, i64 now_ns) {
    if (awake->fd < 0) return NEVER;
    if (now_ns < awake->until_ns) return awake->until_ns;
    close(awake->fd);
    awake->fd = -1;
    return NEVER;
}
