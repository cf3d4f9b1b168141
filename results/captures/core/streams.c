/* Which connection each TCP segment belongs to (streams.py), and in which part of a survey's spool it waits (survey.py). */
#include "core.h"
#include <stdlib.h>

static inline u64 mixed(u64 value) { /* the finisher of splitmix64 */
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9ull;
    value = (value ^ value >> 27) * 0x94D049BB133111EBull;
    return value ^ value >> 31;
}

static inline u64 endpoint(u64 high, u64 low, unsigned port, u64 seed) {
    return mixed((low ^ high * 0x9E3779B97F4A7C15ull) + (port + 1) * 0xD1342543DE82EF95ull + seed);
}

static inline u64 pair_hash(const struct packets *p, i64 row, u64 seed) {
    return endpoint(p->source_high[row], p->source_low[row], p->source_port[row], seed)
         + endpoint(p->destination_high[row], p->destination_low[row], p->destination_port[row], seed);
}

/* Rows in the order of their parts, each in file order, where each of `parts` (a power of two) ends, and each row's place. */
void apart(const struct packets *p, i64 count, const i64 *rows, i64 parts, uint16_t *scratch, i64 *order, i64 *ends,
           int32_t *place) {
    memset(ends, 0, (size_t)parts * sizeof *ends);
    for (i64 i = 0; i < count; i++) {
        scratch[i] = (uint16_t)(pair_hash(p, rows[i], 0) & (u64)(parts - 1));
        ends[scratch[i]]++;
    }
    i64 sum = 0;
    for (i64 part = 0; part < parts; part++) {
        i64 size = ends[part];
        ends[part] = sum, sum += size;
    }
    for (i64 i = 0; i < count; i++) {
        i64 at = ends[scratch[i]]++;
        order[at] = rows[i], place[rows[i]] = (int32_t)at;
    }
}

struct pair { /* of endpoints, with the connection that is open on it now */
    u64 hash;
    i64 head, connection;
    uint32_t base[2]; /* sequence number of the first segment of each sender in the connection */
    bool has[2], began_forward;
};

static bool sender_is(const struct packets *p, i64 a, i64 b) { /* of both rows the same sender and receiver */
    return p->source_port[a] == p->source_port[b] && p->source_low[a] == p->source_low[b]
        && p->destination_port[a] == p->destination_port[b] && p->destination_low[a] == p->destination_low[b]
        && p->source_high[a] == p->source_high[b] && p->destination_high[a] == p->destination_high[b];
}

static bool receiver_is(const struct packets *p, i64 a, i64 b) {
    return p->source_port[a] == p->destination_port[b] && p->source_low[a] == p->destination_low[b]
        && p->destination_port[a] == p->source_port[b] && p->destination_low[a] == p->source_low[b]
        && p->source_high[a] == p->destination_high[b] && p->destination_high[a] == p->source_high[b];
}

struct pairs {
    struct pair *all;
    int32_t *slots; /* number of a pair, plus 1 */
    i64 count, room, mask;
};

static bool roomier(struct pairs *t) {
    i64 room = t->room ? 2 * t->room : 256;
    struct pair *all = realloc(t->all, (size_t)room * sizeof *all);
    if (all) t->all = all;
    int32_t *slots = calloc((size_t)(2 * room), sizeof *slots);
    if (!all || !slots) {
        free(slots);
        return false;
    }
    free(t->slots);
    t->slots = slots, t->room = room, t->mask = 2 * room - 1;
    for (i64 number = 0; number < t->count; number++) {
        i64 at = (i64)(t->all[number].hash & (u64)t->mask);
        while (slots[at]) at = (at + 1) & t->mask;
        slots[at] = (int32_t)number + 1;
    }
    return true;
}

/* The pair of a row, made where it is new; NULL without memory. */
static struct pair *pair_of(struct pairs *t, const struct packets *p, i64 row, bool at_interface, u64 seed) {
    if (t->count == t->room && !roomier(t)) return NULL;
    u64 hash = pair_hash(p, row, seed) + (at_interface ? mixed(p->interface[row] + seed) : 0);
    i64 at = (i64)(hash & (u64)t->mask);
    for (; t->slots[at]; at = (at + 1) & t->mask) {
        struct pair *known = &t->all[t->slots[at] - 1];
        if (known->hash == hash && (!at_interface || p->interface[row] == p->interface[known->head])
            && (sender_is(p, row, known->head) || receiver_is(p, row, known->head)))
            return known;
    }
    t->slots[at] = (int32_t)++t->count;
    t->all[t->count - 1] = (struct pair){.hash = hash, .head = row, .connection = -1};
    return &t->all[t->count - 1];
}

/* Connection and direction of every row, and then the rows in the order of connections: `order`, where each connection begins
 * in it, and number and direction of each place. The number of connections; -1 without memory. `scratch` and `scratch_reverse`
 * have a place a row. */
i64 streams(const struct packets *p, i64 count, const i64 *rows, bool at_interface, u64 seed, int32_t *scratch,
            uint8_t *scratch_reverse, i64 *order, i64 *begins, i64 *number, uint8_t *reverse) {
    struct pairs t = {0};
    i64 connections = 0;
    for (i64 i = 0; i < count; i++) {
        i64 row = rows[i];
        struct pair *pair = pair_of(&t, p, row, at_interface, seed);
        if (!pair) {
            connections = -1;
            break;
        }
        bool forward = sender_is(p, row, pair->head);
        bool opens = (p->flags[row] & (SYN | ACK)) == SYN;
        if (pair->connection < 0 || (opens && pair->has[forward] && pair->base[forward] != p->seq[row])) {
            pair->connection = connections;
            pair->has[0] = pair->has[1] = false;
            pair->began_forward = forward;
            begins[connections++] = 0;
        }
        if (!pair->has[forward]) pair->has[forward] = true, pair->base[forward] = p->seq[row];
        scratch[i] = (int32_t)pair->connection;
        scratch_reverse[i] = forward != pair->began_forward;
        begins[pair->connection]++;
    }
    free(t.all);
    free(t.slots);
    if (connections < 0) return -1;
    i64 sum = 0;
    for (i64 one = 0; one < connections; one++) {
        i64 size = begins[one];
        begins[one] = sum, sum += size;
    }
    for (i64 i = 0; i < count; i++) {
        i64 place = begins[scratch[i]]++;
        order[place] = rows[i], number[place] = scratch[i], reverse[place] = scratch_reverse[i];
    }
    for (i64 one = connections - 1; one > 0; one--) begins[one] = begins[one - 1];
    if (connections) begins[0] = 0;
    return connections;
}
