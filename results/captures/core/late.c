/* Segments that came late, and holes, told apart: losses.py, and what of rtt.by_sequence needs them. */
#include "follow.h"
#include <stdlib.h>

static const i64 LEAST_TIMEOUT_NS = 200000000, REORDER_NS = 3000000;

/* Room for one more; the array as it is or a larger one. */
static void *roomier(void *array, i64 count, i64 *room, size_t size) {
    if (count < *room) return array;
    void *more = realloc(array, (size_t)(2 * count + 16) * size);
    if (more) *room = 2 * count + 16;
    return more;
}

bool map_begin(struct map *map, i64 begin, i64 most_keys) {
    i64 room = 64;
    while (3 * room < 4 * most_keys) room *= 2;
    if (room > map->room) {
        free(map->slots);
        map->slots = malloc((size_t)room * sizeof *map->slots);
        map->room = map->slots ? room : 0;
        if (!map->slots) return false;
    }
    memset(map->slots, 0, (size_t)room * sizeof *map->slots);
    map->mask = room - 1, map->begin = begin;
    return true;
}

bool late_gap(struct side *side, i64 left, i64 right, i64 place) {
    struct hole *holes = roomier(side->holes, side->hole_count, &side->hole_room, sizeof *holes);
    if (!holes) return false;
    side->holes = holes;
    holes[side->hole_count++] = (struct hole){left, right, place};
    return true;
}

/* losses._fill: take [seq, end) out of the holes; who showed the first of them (-1: there was none), and bytes taken. */
static i64 fill(struct side *side, i64 seq, i64 end, i64 *taken) {
    struct hole *holes = side->holes;
    i64 low = 0, high = side->hole_count;
    while (low < high) {
        i64 middle = (low + high) / 2;
        if (holes[middle].left < seq) low = middle + 1;
        else high = middle;
    }
    i64 first = most(0, low - 1), last, shown = -1, rests = 0;
    struct hole rest[2];
    while (first < side->hole_count && holes[first].right <= seq) first++;
    for (last = first; last < side->hole_count && holes[last].left < end; last++) {
        struct hole hole = holes[last];
        if (shown < 0) shown = hole.place;
        *taken += least(end, hole.right) - most(seq, hole.left);
        if (hole.left < seq) rest[rests++] = (struct hole){hole.left, seq, hole.place};
        if (end < hole.right) rest[rests++] = (struct hole){end, hole.right, hole.place};
    }
    if (last == first) return shown;
    memmove(holes + first + rests, holes + last, (size_t)(side->hole_count - last) * sizeof *holes);
    memcpy(holes + first, rest, (size_t)rests * sizeof *rest);
    side->hole_count += rests - (last - first);
    return shown;
}

bool late_add(struct scratch *scratch, struct side *side, struct late late, i64 seq, i64 end, i64 *filled) {
    struct late *all = roomier(scratch->late, scratch->late_count, &scratch->late_room, sizeof *all);
    if (!all) return false;
    scratch->late = all;
    struct hole *holes = roomier(side->holes, side->hole_count + 1, &side->hole_room, sizeof *holes); /* one may become two */
    if (!holes) return false;
    side->holes = holes;
    late.holder = fill(side, seq, end, filled);
    all[scratch->late_count++] = late;
    return true;
}

/* losses._sacks: the highest edge of a segment's SACK blocks; a first block that is a D-SACK (RFC 2883) is noted. `*next` is where
 * the blocks of the segment before ended: mostly this one's begin there. */
i64 late_sacks(const struct packets *p, i64 blocks, i64 row, i64 ack, i64 place, i64 flow, i64 *next, struct followed *out) {
    bool there = *next < blocks && p->sack_row[*next] == row;
    i64 low = there ? *next : 0, high = there ? low : blocks, reach = -1;
    while (low < high) {
        i64 middle = (low + high) / 2;
        if (p->sack_row[middle] < row) low = middle + 1;
        else high = middle;
    }
    i64 count = 0, left[2] = {0}, right[2] = {0};
    for (; low < blocks && p->sack_row[low] == row; low++, count++) {
        i64 from = ack + (int32_t)(p->sack_left[low] - p->ack[row]), to = ack + (int32_t)(p->sack_right[low] - p->ack[row]);
        reach = most(reach, to);
        if (count < 2) left[count] = from, right[count] = to;
    }
    *next = low;
    bool inside = count > 1 && left[0] >= left[1] && right[0] <= right[1];
    if (count && (right[0] <= ack || inside)) {
        i64 told = out->counted[TOLD]++;
        out->told_place[told] = place, out->told_flow[told] = flow ^ 1;
        out->told_left[told] = left[0], out->told_right[told] = right[0];
    }
    return reach;
}

static bool sent_before(const struct packets *p, const i64 *order, const struct followed *out, const struct late *one, i64 limit_ns) {
    i64 row = order[one->place], shown = order[one->holder];
    bool stamped = p->has_stamp[row] && p->has_stamp[shown];
    bool older = (int32_t)(p->stamp[row] - p->stamp[shown]) <= 0;
    return out->time_ns[one->place] - out->time_ns[one->holder] < limit_ns && (older || !stamped);
}

/* losses.losses and _kinds, for one connection. */
bool late_judge(const struct packets *p, const i64 *order, struct scratch *scratch, struct followed *out, i64 round_trip_ns) {
    i64 limit_ns = round_trip_ns >= 0 ? round_trip_ns : REORDER_NS;
    if (!map_begin(&scratch->again, scratch->ends.begin, scratch->late_count)) return false;
    for (i64 number = 0; number < scratch->late_count; number++) {
        const struct late *one = &scratch->late[number];
        if (one->holder >= 0 && sent_before(p, order, out, one, limit_ns)) {
            out->out_of_order[out->counted[OUT_OF_ORDER]++] = one->place;
            continue;
        }
        bool first = map_first(&scratch->again, out->seq[one->place], out->flow[one->place], one->place);
        bool silent = one->since_ns >= LEAST_TIMEOUT_NS && !one->several;
        bool soon = one->since_ns < LEAST_TIMEOUT_NS + most(round_trip_ns, 0);
        bool probe = one->tail && first && !one->above && !one->thrice && (one->several || soon);
        i64 at = out->counted[AGAIN]++;
        out->again[at] = one->place;
        out->kind[at] = (one->above || one->thrice) && !silent ? FAST : probe ? PROBE : TIMEOUT;
    }
    return true;
}

static int ascending(const void *a, const void *b) {
    i64 one = *(const i64 *)a, other = *(const i64 *)b;
    return (one > other) - (one < other);
}

/* Samples of segments that were sent more than once, be it later: Karn's algorithm. */
bool late_mark(struct scratch *scratch, struct followed *out, i64 first_sample) {
    i64 *begins = scratch->begins;
    if (scratch->late_count > scratch->begins_room) {
        begins = realloc(begins, (size_t)scratch->late_count * sizeof *begins);
        if (!begins) return false;
        scratch->begins = begins, scratch->begins_room = scratch->late_count;
    }
    for (i64 which = 0; which < 2; which++) {
        i64 count = 0;
        for (i64 one = 0; one < scratch->late_count; one++) {
            i64 place = scratch->late[one].place;
            if ((out->flow[place] & 1) == which) begins[count++] = out->seq[place];
        }
        if (!count) continue;
        qsort(begins, (size_t)count, sizeof *begins, ascending);
        for (i64 one = first_sample; one < out->counted[SAMPLES]; one++) {
            i64 asked = out->asked[one], low = 0, high = count;
            if ((out->flow[asked] & 1) != which) continue;
            while (low < high) {
                i64 middle = (low + high) / 2;
                if (begins[middle] < out->seq[asked]) low = middle + 1;
                else high = middle;
            }
            if (low < count && begins[low] < out->end[asked]) out->ambiguous[one] = 1;
        }
    }
    return true;
}
