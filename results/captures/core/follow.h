/* What is kept while a connection is followed, and what comes out. */
#pragma once
#include "core.h"

#define NOTHING INT64_MIN
enum { FAST = 1, TIMEOUT, PROBE }; /* losses.py */
enum { AGAIN, OUT_OF_ORDER, SAMPLES, STAMPS, TOLD, KINDS };

struct followed { /* in the order of follow.py: an entry a segment, an event, a flow, a connection */
    i64 *flow, *time_ns, *payload;
    uint16_t *flags;
    i64 *seq, *end, *ack, *highest, *acked, *own_acked, *other_highest, *window;
    uint8_t *late, *gap, *keep_alive, *duplicate_ack;
    i64 *sack_high, *filled, *fresh, *stamp;
    uint8_t *echoed;
    i64 *again;
    uint8_t *kind;
    i64 *out_of_order, *answer, *asked, *rtt_ns;
    uint8_t *ambiguous;
    i64 *stamp_answer, *stamp_asked, *stamp_rtt_ns;
    i64 *told_place, *told_flow, *told_left, *told_right;
    i64 *head, *bytes, *new_bytes, *window_max, *in_flight_max, *initial_window, *missing, *fin, *rst, *busy_ns;
    i64 *duplicate_acks, *sack_blocks, *zero_windows, *keep_alives, *idle_ns, *handshake_ns, *initial_ns;
    uint8_t *opened, *scaled, *simultaneous;
    i64 counted[KINDS];
};

struct map { /* from a number and a flow to the first place that had them; the numbers stand in an array by place */
    int32_t *slots; /* a place, less that of the connection's begin, plus 1 */
    i64 room, mask, begin;
    u64 seed;
    const i64 *keys, *flow;
};

struct hole {
    i64 left, right, place;
};

struct side { /* of a connection: what its sender has said so far */
    i64 head, start, scale;
    uint32_t base, raw, raw_ack;
    bool syn, asked, begun, acks, sent_data;
    i64 seq, ack_now, highest, acked, sack_reach, first_seq, duplicates;
    i64 last_ack, last_window, last_ns, last_stamp, last_echo, first_data_ns, last_data_ns;
    i64 bytes, new_bytes, window_max, in_flight_max, initial_window, missing, fin, rst;
    struct hole *holes;
    i64 hole_count, hole_room;
};

struct late { /* a late segment and what was known when it came; it is judged when its connection is over */
    i64 place, holder, since_ns;
    bool above, thrice, tail, several;
};

struct scratch {
    struct late *late;
    i64 late_count, late_room, begins_room, next_sack;
    i64 *begins; /* of late segments of one side, sorted */
    struct map ends, stamps, again;
    struct side side[2];
};

/* All that can fail does for want of memory, and says so by false. */
bool map_begin(struct map *map, i64 begin, i64 most_keys);
bool late_gap(struct side *side, i64 left, i64 right, i64 place);
bool late_add(struct scratch *scratch, struct side *side, struct late late, i64 seq, i64 end, i64 *filled);
i64 late_sacks(const struct packets *p, i64 blocks, i64 row, i64 ack, i64 place, i64 flow, i64 *next, struct followed *out);
bool late_judge(const struct packets *p, const i64 *order, struct scratch *scratch, struct followed *out, i64 round_trip_ns);
bool late_mark(struct scratch *scratch, struct followed *out, i64 first_sample);

static inline int32_t *map_slot(struct map *map, i64 key, i64 flow) {
    u64 hash = ((u64)key * 2 + (u64)(flow & 1)) * map->seed;
    hash = (hash ^ hash >> 32) * 0x94D049BB133111EBull;
    for (i64 at = (i64)(hash >> 32) & map->mask;; at = (at + 1) & map->mask) {
        i64 place = map->begin + map->slots[at] - 1;
        if (!map->slots[at] || (map->keys[place] == key && map->flow[place] == flow)) return &map->slots[at];
    }
}

/* Less than the connection's begin when there is none. */
static inline i64 map_find(struct map *map, i64 key, i64 flow) { return map->begin + *map_slot(map, key, flow) - 1; }

/* Whether it is the first with its key. */
static inline bool map_first(struct map *map, i64 key, i64 flow, i64 place) {
    int32_t *slot = map_slot(map, key, flow);
    if (*slot) return false;
    *slot = (int32_t)(place - map->begin) + 1;
    return true;
}
