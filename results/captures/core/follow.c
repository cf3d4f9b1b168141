/* Connections followed segment by segment: numbers, windows, round trips and sums (tcp.py, rtt.py, sums.py). */
#include "follow.h"
#include <stdlib.h>

static const i64 IDLE_NS = 100000000;

static void side_reset(struct side *side) {
    struct hole *holes = side->holes;
    i64 room = side->hole_room;
    *side = (struct side){.head = -1, .scale = -1, .highest = NOTHING, .acked = NOTHING, .sack_reach = -1, .last_ack = -2,
                          .last_window = -1, .last_stamp = -1, .last_echo = -1, .holes = holes, .hole_room = room};
}

static inline i64 or_none(i64 value) { return value == NOTHING ? -1 : value; }

struct opening { /* places that tell the round trip of the handshake, -1 where they are missing */
    i64 first_syn, last_syn, syn_ack, done;
};

static i64 between(const struct followed *out, i64 begin, i64 end) {
    return begin >= 0 && end > begin ? out->time_ns[end] - out->time_ns[begin] : -1;
}

/* What each side's first segment and SYNs say of all others; whether the client is the second to speak, and whether that is
 * known (tcp._flows). */
static bool roles(const struct packets *p, const i64 *order, const uint8_t *reverse, i64 begin, i64 end, struct side *side,
                  bool *opened) {
    int asked_by = -1, answered_by = -1;
    for (i64 i = begin; i < end; i++) {
        i64 row = order[i];
        struct side *me = &side[reverse[i]];
        unsigned flags = p->flags[row];
        if (me->head < 0) me->head = i, me->start = !(flags & SYN), me->base = p->seq[row] - (uint32_t)me->start;
        if (!(flags & SYN)) continue;
        me->scale = p->scale[row], me->syn = true;
        if (flags & ACK) {
            if (answered_by < 0) answered_by = reverse[i];
        } else {
            me->asked = true;
            if (asked_by < 0) asked_by = reverse[i];
        }
    }
    *opened = asked_by >= 0 || answered_by >= 0;
    if (asked_by >= 0) return asked_by;
    if (answered_by >= 0) return !answered_by;
    return p->source_port[order[begin]] < p->destination_port[order[begin]];
}

/* Samples that a segment gives as an answer, and what it asks (rtt.by_sequence, rtt.by_stamps). */
static inline void round_trips(const struct packets *p, i64 row, i64 place, i64 flow, struct side *me, struct scratch *scratch,
                               struct followed *out, bool answers, i64 own_acked) {
    i64 now_ns = out->time_ns[place], ack = out->ack[place], asked;
    if (answers && ack > own_acked && (asked = map_find(&scratch->ends, ack, flow ^ 1)) >= scratch->ends.begin) {
        i64 at = out->counted[SAMPLES]++;
        out->answer[at] = place, out->asked[at] = asked, out->rtt_ns[at] = now_ns - out->time_ns[asked], out->ambiguous[at] = 0;
    }
    if (out->end[place] > out->seq[place]) map_first(&scratch->ends, out->end[place], flow, place);
    i64 stamp = p->stamp[row], echo = p->echo[row];
    out->stamp[place] = stamp, out->echoed[place] = 0;
    if (p->has_stamp[row]) {
        if (answers && echo != me->last_echo) {
            asked = map_find(&scratch->stamps, echo, flow ^ 1);
            if (asked >= scratch->stamps.begin && !out->echoed[asked]) {
                i64 at = out->counted[STAMPS]++;
                out->echoed[asked] = 1;
                out->stamp_answer[at] = place, out->stamp_asked[at] = asked;
                out->stamp_rtt_ns[at] = now_ns - out->time_ns[asked];
            }
        }
        if (stamp != me->last_stamp) map_first(&scratch->stamps, stamp, flow, place);
    }
    me->last_stamp = stamp, me->last_echo = echo;
}

static void sums(struct followed *out, const struct side *side, i64 flow) {
    out->head[flow] = side->head, out->bytes[flow] = side->bytes, out->new_bytes[flow] = side->new_bytes;
    out->window_max[flow] = side->window_max, out->in_flight_max[flow] = side->in_flight_max;
    out->initial_window[flow] = side->initial_window, out->missing[flow] = side->missing;
    out->fin[flow] = side->fin, out->rst[flow] = side->rst, out->busy_ns[flow] = side->last_data_ns - side->first_data_ns;
}

/* One connection: places [begin, end) of `order`. */
static bool connection(const struct packets *p, i64 blocks, const i64 *order, const uint8_t *reverse, i64 begin, i64 end,
                       i64 number, struct scratch *scratch, struct followed *out) {
    struct side *side = scratch->side;
    side_reset(&side[0]), side_reset(&side[1]);
    bool opened, swapped = roles(p, order, reverse, begin, end, side, &opened);
    if (swapped) {
        struct side second = side[1];
        side[1] = side[0], side[0] = second;
    }
    bool scales = side[0].scale >= 0 && side[1].scale >= 0;
    scratch->late_count = 0;
    if (!map_begin(&scratch->ends, begin, end - begin) || !map_begin(&scratch->stamps, begin, end - begin)) return false;
    struct opening open = {-1, -1, -1, -1};
    i64 first_sample = out->counted[SAMPLES];
    i64 duplicate_acks = 0, sack_blocks = 0, zero_windows = 0, keep_alives = 0, idle_ns = 0;
    for (i64 i = begin; i < end; i++) {
        i64 row = order[i], which = reverse[i] ^ swapped, flow = 2 * number + which;
        struct side *me = &side[which], *it = &side[!which];
        unsigned flags = p->flags[row];
        i64 now_ns = p->time_ns[row], payload = p->payload[row];
        /* Relative numbers, past 2^32: neighbours of a flow are less than 2^31 apart. */
        me->seq = me->begun ? me->seq + (int32_t)(p->seq[row] - me->raw) : me->start;
        if (!me->begun) me->first_seq = me->seq;
        me->raw = p->seq[row], me->begun = true;
        i64 seq = me->seq, ack = -1;
        if (flags & ACK) {
            if (me->acks) me->ack_now += (int32_t)(p->ack[row] - me->raw_ack);
            else me->ack_now = it->head >= 0 ? (int32_t)(p->ack[row] - it->base) : 1;
            me->raw_ack = p->ack[row], me->acks = true;
            ack = me->ack_now;
        }
        i64 occupies = payload + !!(flags & SYN) + !!(flags & FIN), reach = seq + occupies;
        i64 highest = or_none(me->highest), other_highest = or_none(it->highest);
        i64 own_acked = or_none(me->acked), acked = or_none(it->acked);
        bool known = highest >= 0, plain = !(flags & (SYN | FIN | RST));
        bool keep_alive = plain && payload <= 1 && known && seq == highest - 1 && flags & ACK && acked >= highest;
        bool held = occupies > 0 && known && !(flags & RST);
        bool late = held && seq < highest && !keep_alive, gap = held && seq > highest;
        i64 raw_window = p->window[row], window = raw_window << (flags & SYN || !scales ? 0 : me->scale);
        bool duplicate = plain && flags & ACK && !payload && ack == me->last_ack && raw_window == me->last_window
                      && other_highest > ack && !keep_alive; /* RFC 5681 section 2 */
        out->flow[i] = flow, out->time_ns[i] = now_ns, out->payload[i] = payload, out->flags[i] = (uint16_t)flags;
        out->seq[i] = seq, out->end[i] = reach, out->ack[i] = ack, out->highest[i] = highest, out->acked[i] = acked;
        out->own_acked[i] = own_acked, out->other_highest[i] = other_highest, out->window[i] = window;
        out->late[i] = late, out->gap[i] = gap, out->keep_alive[i] = keep_alive, out->duplicate_ack[i] = duplicate;
        i64 sack_high = p->sacks[row] && ack >= 0 ? late_sacks(p, blocks, row, ack, i, flow, &scratch->next_sack, out) : -1, filled = 0;
        if (gap) {
            if (!late_gap(me, highest, seq, i)) return false;
            me->missing += seq - highest;
        } else if (late) {
            struct late one = {i, -1, now_ns - me->last_ns, it->sack_reach > reach, it->duplicates >= 3, reach == highest,
                               seq > acked};
            if (!late_add(scratch, me, one, seq, reach, &filled)) return false;
            me->missing -= filled;
        }
        i64 beyond = least(most(reach - highest, 0), payload);
        i64 fresh = keep_alive ? 0 : late ? filled + beyond : payload;
        out->sack_high[i] = sack_high, out->filled[i] = filled, out->fresh[i] = fresh;
        round_trips(p, row, i, flow, me, scratch, out, (flags & (ACK | RST)) == ACK, own_acked);
        unsigned kind = flags & (SYN | ACK | RST);
        if (kind == ACK && !which && seq == 1 && acked >= 1 && ack >= 1 && open.done < 0) open.done = i;
        if (kind == (SYN | ACK) && open.syn_ack < 0) open.syn_ack = i;
        if (kind == SYN && !which) {
            if (open.first_syn < 0) open.first_syn = i;
            if (open.done < 0) open.last_syn = i;
        }
        /* Sums */
        me->bytes += payload, me->new_bytes += fresh;
        if (!(flags & RST)) me->window_max = most(me->window_max, window);
        if (occupies > 0) me->in_flight_max = most(me->in_flight_max, most(highest, reach) - most(acked, me->first_seq));
        if (payload > 0) {
            if (acked <= 1) me->initial_window += fresh;
            if (!me->sent_data) me->first_data_ns = now_ns, me->sent_data = true;
            me->last_data_ns = now_ns;
        }
        me->fin += !!(flags & FIN), me->rst += !!(flags & RST);
        duplicate_acks += duplicate, sack_blocks += p->sacks[row], keep_alives += keep_alive;
        zero_windows += !window && plain;
        if (i > begin && highest <= acked && other_highest <= own_acked && now_ns - out->time_ns[i - 1] > IDLE_NS)
            idle_ns += now_ns - out->time_ns[i - 1];
        /* What the next segment finds */
        me->highest = most(me->highest, reach), me->acked = most(me->acked, ack), me->sack_reach = most(me->sack_reach, sack_high);
        me->duplicates = duplicate ? me->duplicates + 1 : ack >= 0 ? 0 : me->duplicates;
        me->last_ack = ack, me->last_window = raw_window, me->last_ns = now_ns;
    }
    i64 handshake_ns = between(out, open.first_syn, open.syn_ack), initial_ns = between(out, open.last_syn, open.done);
    out->handshake_ns[number] = handshake_ns, out->initial_ns[number] = initial_ns;
    out->opened[number] = opened, out->scaled[number] = side[0].syn && side[1].syn;
    out->simultaneous[number] = side[0].asked && side[1].asked;
    out->duplicate_acks[number] = duplicate_acks, out->sack_blocks[number] = sack_blocks;
    out->zero_windows[number] = zero_windows, out->keep_alives[number] = keep_alives, out->idle_ns[number] = idle_ns;
    sums(out, &side[0], 2 * number), sums(out, &side[1], 2 * number + 1);
    if (!scratch->late_count) return true;
    return late_judge(p, order, scratch, out, initial_ns >= 0 ? initial_ns : handshake_ns) && late_mark(scratch, out, first_sample);
}

/* All connections of `streams`; false without memory. */
bool follow(const struct packets *p, i64 blocks, i64 count, const i64 *order, const uint8_t *reverse, i64 connections,
            const i64 *begins, u64 seed, struct followed *out) {
    struct scratch scratch = {0};
    struct map map = {.seed = seed | 1, .flow = out->flow};
    scratch.ends = scratch.stamps = scratch.again = map;
    scratch.ends.keys = out->end, scratch.stamps.keys = out->stamp, scratch.again.keys = out->seq;
    bool fine = true;
    for (i64 one = 0; one < connections && fine; one++)
        fine = connection(p, blocks, order, reverse, begins[one], one + 1 < connections ? begins[one + 1] : count, one, &scratch, out);
    free(scratch.ends.slots), free(scratch.stamps.slots), free(scratch.again.slots);
    free(scratch.late), free(scratch.begins), free(scratch.side[0].holes), free(scratch.side[1].holes);
    return fine;
}
