/* The captures' core: what boundaries.py, layers.py, streams.py, tcp.py, losses.py and rtt.py do a column at a time, done a packet
 * at a time.  It reads no file, keeps nothing between calls and decides nothing of its own: those files are the reference. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef int64_t i64;
typedef uint64_t u64;

enum { TOGETHER = 256 }; /* rows that are filled a column at a time: they stay in the nearest cache */
enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };
enum { FRAGMENT = 1, CUT = 2, MALFORMED = 4 }; /* columns.py */

struct packets { /* columns.py: TYPES in its order, then SACK blocks */
    i64 *frame, *time_ns;
    uint16_t *interface;
    uint32_t *captured, *wire;
    uint16_t *vlan;
    uint8_t *version, *protocol, *state, *ttl, *tos;
    uint16_t *ip_id;
    uint32_t *ip_length;
    u64 *source_high, *source_low, *destination_high, *destination_low;
    uint16_t *source_port, *destination_port;
    uint32_t *seq, *ack;
    uint16_t *flags, *window, *checksum, *header_bytes;
    uint32_t *payload;
    i64 *payload_at;
    uint16_t *icmp;
    uint32_t *opening;
    uint8_t *has_stamp;
    uint32_t *stamp, *echo;
    uint16_t *mss;
    int8_t *scale;
    uint8_t *sack_permitted, *sacks;
    i64 *sack_row;
    uint32_t *sack_left, *sack_right;
};

static inline i64 least(i64 a, i64 b) { return a < b ? a : b; }
static inline i64 most(i64 a, i64 b) { return a > b ? a : b; }

static inline unsigned be16(const uint8_t *p) { return (unsigned)p[0] << 8 | p[1]; }
static inline uint32_t be32(const uint8_t *p) {
    uint32_t value;
    memcpy(&value, p, 4);
    return __builtin_bswap32(value);
}
static inline u64 be64(const uint8_t *p) {
    u64 value;
    memcpy(&value, p, 8);
    return __builtin_bswap64(value);
}
