/* When to be woken for a moment that must be met, and when to rest. wake.py is the reference and says why. */
#include "relay.h"

static const i64 LONGEST_LEAD_NS = 250000, SPIN_SHARE = 5, MOST_CREDIT_NS = 10000000;
static const i64 WINDOW_NS = 5000000, LEAST_REST_NS = 300000, SLEPT_NS = 20000;

void waker_begin(struct waker *waker, i64 now_ns) {
    *waker = (struct waker){.lead_ns = 50000, .credit_ns = MOST_CREDIT_NS, .seen_ns = now_ns, .since_ns = now_ns};
}

i64 waker_alarm(struct waker *waker, i64 due_ns, i64 now_ns) {
    i64 ahead = due_ns - now_ns;
    if (waker->watching) waker->credit_ns -= now_ns - waker->seen_ns;
    waker->seen_ns = now_ns;
    waker->watching = 0 < ahead && ahead <= waker->lead_ns && waker->credit_ns > 0;
    if (ahead <= 0 || waker->watching) return 0;
    if (due_ns >= NEVER) return NEVER;
    return waker->credit_ns <= 0 || ahead <= waker->lead_ns ? due_ns : due_ns - waker->lead_ns;
}

void waker_woken(struct waker *waker, i64 late_ns) {
    i64 lead = waker->lead_ns + ((late_ns + (late_ns >> 2) - waker->lead_ns) >> 3);
    waker->lead_ns = lead > LONGEST_LEAD_NS ? LONGEST_LEAD_NS : lead;
}

void waker_slept(struct waker *waker, i64 from_ns, i64 to_ns) {
    if (to_ns - from_ns <= SLEPT_NS) return;
    waker->rested_ns += to_ns - from_ns;
    waker->credit_ns += (to_ns - from_ns) / SPIN_SHARE;
    if (waker->credit_ns > MOST_CREDIT_NS) waker->credit_ns = MOST_CREDIT_NS;
}

i64 waker_owed(struct waker *waker, i64 now_ns) {
    if (now_ns - waker->since_ns < WINDOW_NS) return 0;
    i64 owed_ns = LEAST_REST_NS > waker->rested_ns ? LEAST_REST_NS - waker->rested_ns : 0;
    waker->since_ns = now_ns, waker->rested_ns = 0;
    return owed_ns;
}
