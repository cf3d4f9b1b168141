/* Where records begin (boundaries.py), and headers of frames as columns (layers.py, tcp_options.py). */
#include "core.h"

enum { SMALLEST_STEP = 12, DEEPEST = 16, IP4 = 0x0800, IP6 = 0x86DD, IS_ICMP = 1, IS_TCP = 6, IS_UDP = 17, IS_ICMP6 = 58,
       OPENING = 32 };
#define MAPPED 0x0000FFFF00000000ull

static inline uint32_t number(const uint8_t *p, bool big) {
    uint32_t value;
    memcpy(&value, p, 4);
    return big ? __builtin_bswap32(value) : value;
}

struct shape { /* boundaries.Shape */
    i64 big, base, where, header_bytes, words, tail;
};

/* Offsets of all whole records in data[start:end], and behind the last of them into *after; their number. Their first numbers go
 * into columns of `room` entries, the last number of each, where it is wanted, into one more. */
i64 walk(const uint8_t *data, i64 start, i64 end, const struct shape *shape, i64 room, i64 *found, uint32_t *words, i64 *after) {
    i64 count = 0, at = start;
    while (at <= end - shape->header_bytes) {
        i64 next = at + most(SMALLEST_STEP, shape->base + number(data + at + shape->where, shape->big));
        if (next > end) break;
        for (i64 word = 0; word < shape->words; word++) words[word * room + count] = number(data + at + 4 * word, shape->big);
        if (shape->tail) words[shape->words * room + count] = number(data + next - 4, shape->big);
        found[count++] = at;
        at = next;
    }
    *after = at;
    return count;
}

struct frame { /* one that is being read: where it begins and ends, and where its headers have been read to */
    const uint8_t *data;
    i64 size, row, begin, end, wire, at;
    i64 payload;
    unsigned protocol, state;
};

/* Bytes at `at`; from the end of the buffer where there are not so many. The caller judges by lengths. */
static inline const uint8_t *bytes(const struct frame *f, i64 at, i64 width) { return f->data + least(at, f->size - width); }

static unsigned link_layer(struct frame *f, i64 linktype, struct packets *out) {
    unsigned kind = 0;
    switch (linktype) {
    case 1: kind = be16(bytes(f, f->at + 12, 2)), f->at += 14; break;
    case 113: kind = be16(bytes(f, f->at + 14, 2)), f->at += 16; break;
    case 276: kind = be16(bytes(f, f->at, 2)), f->at += 20; break;
    case 0: case 108: f->at += 4; /* fall through */
    case 101: case 12: case 14: case 228: case 229: {
        unsigned version = *bytes(f, f->at, 1) >> 4;
        kind = version == 4 ? IP4 : version == 6 ? IP6 : 0;
    }
    }
    unsigned vlan = 0;
    for (int deep = 0; deep < DEEPEST && (kind == 0x8100 || kind == 0x88A8 || kind == 0x9100); deep++) {
        const uint8_t *tag = bytes(f, f->at, 4);
        f->at += 4;
        if (!vlan && f->at <= f->end) vlan = be16(tag) & 0x0FFF;
        kind = be16(tag + 2);
    }
    out->vlan[f->row] = vlan;
    if (f->at > f->end) {
        f->state |= CUT;
        return 0;
    }
    return kind;
}

static void ip4(struct frame *f, struct packets *out) {
    static const uint8_t nothing[20];
    i64 begin = f->at, row = f->row;
    bool whole = begin + 20 <= f->end;
    const uint8_t *head = whole ? bytes(f, begin, 20) : nothing;
    i64 size = (head[0] & 15) * 4, total = be16(head + 2);
    bool sound = size >= 20 && head[0] >> 4 == 4;
    if (!total && whole) total = f->wire - (begin - f->begin); /* segmentation offload: the frame's own length counts */
    if (!whole) f->state |= CUT;
    else if (!sound) f->state |= MALFORMED;
    if (sound && be16(head + 6) & 0x1FFF) f->state |= FRAGMENT;
    if (sound && total < size) f->state |= MALFORMED;
    out->version[row] = sound ? 4 : 0;
    out->tos[row] = head[1], out->ttl[row] = head[8];
    f->protocol = sound ? head[9] : 0;
    out->ip_id[row] = be16(head + 4), out->ip_length[row] = (uint32_t)total;
    out->source_low[row] = whole ? be32(head + 12) | MAPPED : 0;
    out->destination_low[row] = whole ? be32(head + 16) | MAPPED : 0;
    f->at = begin + size;
    f->payload = most(total - size, 0);
}

static inline bool is_extension(unsigned kind) {
    return kind == 0 || kind == 43 || kind == 44 || kind == 51 || kind == 60 || kind == 135 || kind == 139 || kind == 140;
}

static void ip6(struct frame *f, struct packets *out) {
    static const uint8_t nothing[40];
    i64 begin = f->at, here = begin + 40, row = f->row;
    bool whole = begin + 40 <= f->end;
    const uint8_t *head = whole ? bytes(f, begin, 40) : nothing;
    bool sound = head[0] >> 4 == 6;
    i64 length = be16(head + 4);
    if (!length && whole) length = f->wire - (begin - f->begin) - 40; /* offload, or a jumbogram */
    if (!whole) f->state |= CUT;
    else if (!sound) f->state |= MALFORMED;
    out->version[row] = sound ? 6 : 0;
    out->tos[row] = be16(head) >> 4, out->ttl[row] = head[7];
    out->ip_length[row] = (uint32_t)(whole ? most(length + 40, 0) : 0);
    out->source_high[row] = be64(head + 8), out->source_low[row] = be64(head + 16);
    out->destination_high[row] = be64(head + 24), out->destination_low[row] = be64(head + 32);
    unsigned kind = head[6];
    for (int deep = 0; deep < DEEPEST && sound && is_extension(kind); deep++) {
        if (here + 8 > f->end) {
            f->state |= CUT;
            kind = 0;
            break;
        }
        const uint8_t *extension = bytes(f, here, 8);
        bool later = kind == 44 && be16(extension + 2) & 0xFFF8;
        if (kind == 44) out->ip_id[row] = be16(extension + 6);
        here += kind == 44 ? 8 : kind == 51 ? (extension[1] + 2) * 4 : (extension[1] + 1) * 8;
        kind = extension[0];
        if (later) {
            f->state |= FRAGMENT;
            break;
        }
    }
    f->protocol = sound ? kind : 0;
    f->at = here;
    f->payload = most(length - (here - begin - 40), 0);
}

static i64 tcp_options(struct frame *f, i64 at, i64 end, struct packets *out, i64 blocks) {
    i64 row = f->row;
    if (end - at >= 12 && be32(f->data + at) == 0x0101080A) { /* nearly every segment: RFC 7323 appendix A */
        out->has_stamp[row] = 1;
        out->stamp[row] = be32(f->data + at + 4), out->echo[row] = be32(f->data + at + 8);
        at += 12;
    }
    while (at < end) {
        const uint8_t *option = bytes(f, at, 12);
        unsigned kind = option[0];
        i64 size = kind <= 1 ? 1 : option[1];
        if (kind > 1 && (at + 1 >= end || size < 2 || at + size > end || (kind == 2 && size != 4) || (kind == 3 && size != 3)
                         || (kind == 4 && size != 2) || (kind == 8 && size != 10) || (kind == 5 && (size - 2) % 8))) {
            f->state |= MALFORMED;
            break;
        }
        if (kind == 0) break;
        if (kind == 8) {
            out->has_stamp[row] = 1;
            out->stamp[row] = be32(option + 2), out->echo[row] = be32(option + 6);
        } else if (kind == 2) {
            out->mss[row] = be16(option + 2);
        } else if (kind == 3) {
            out->scale[row] = option[2] < 14 ? option[2] : 14;
        } else if (kind == 4) {
            out->sack_permitted[row] = 1;
        } else if (kind == 5 && size >= 10) {
            out->sacks[row] = (size - 2) / 8;
            for (i64 edge = at + 2; edge < at + size; edge += 8, blocks++) {
                out->sack_row[blocks] = row;
                out->sack_left[blocks] = be32(f->data + edge), out->sack_right[blocks] = be32(f->data + edge + 4);
            }
        }
        at += size;
    }
    return blocks;
}

static i64 tcp(struct frame *f, struct packets *out, i64 blocks) {
    static const uint8_t nothing[20];
    i64 begin = f->at, row = f->row, behind = f->payload;
    bool whole = begin + 20 <= f->end;
    const uint8_t *head = whole ? bytes(f, begin, 20) : nothing;
    i64 size = (head[12] >> 4) * 4;
    bool sound = size >= 20 && size <= behind;
    if (!whole) f->state |= CUT;
    else if (!sound) f->state |= MALFORMED;
    out->source_port[row] = be16(head), out->destination_port[row] = be16(head + 2);
    out->seq[row] = be32(head + 4), out->ack[row] = be32(head + 8);
    out->flags[row] = be16(head + 12) & 0x01FF, out->window[row] = be16(head + 14), out->checksum[row] = be16(head + 16);
    out->header_bytes[row] = size;
    f->payload = sound ? behind - size : 0;
    out->payload_at[row] = begin + most(size, 20);
    if (sound && size > 20) {
        if (begin + size > f->end) f->state |= CUT;
        blocks = tcp_options(f, begin + 20, least(begin + size, f->end), out, blocks);
    }
    return blocks;
}

/* columns.Packets.opening of what is `length` bytes long and begins at `from`. */
static uint32_t opening(const struct frame *f, i64 from, i64 length) {
    i64 until = from + least(length, OPENING);
    if (length <= 0 || until > f->end) return 0;
    uint32_t mixed = 0;
    for (; from < until; from++) mixed = mixed * 0x01000193u + f->data[from];
    return mixed | 1;
}

static void udp(struct frame *f, struct packets *out) {
    static const uint8_t nothing[8];
    bool whole = f->at + 8 <= f->end;
    const uint8_t *head = whole ? bytes(f, f->at, 8) : nothing;
    if (!whole) f->state |= CUT;
    out->source_port[f->row] = be16(head), out->destination_port[f->row] = be16(head + 2);
    out->checksum[f->row] = be16(head + 6), out->header_bytes[f->row] = 8;
    f->payload = most(f->payload - 8, 0);
    out->payload_at[f->row] = f->at + 8;
    out->opening[f->row] = opening(f, f->at + 8, f->payload);
}

static void icmp(struct frame *f, struct packets *out) {
    static const uint8_t nothing[4];
    bool whole = f->at + 4 <= f->end;
    const uint8_t *head = whole ? bytes(f, f->at, 4) : nothing;
    if (!whole) f->state |= CUT;
    out->icmp[f->row] = be16(head), out->checksum[f->row] = be16(head + 2);
    out->header_bytes[f->row] = 8, out->payload_at[f->row] = f->at + 8;
    out->opening[f->row] = opening(f, f->at + 4, f->payload - 4);
    f->payload = most(f->payload - 8, 0);
}

struct frames { /* records.Frames */
    const i64 *at, *time_ns;
    const uint32_t *captured, *wire, *interface;
    i64 rows, first;
};

/* What a packet has none of is 0, but for the window's scale, which is -1. */
static void clear(struct packets *out, i64 row, i64 count) {
#define CLEAR(name) memset(out->name + row, 0, (size_t)count * sizeof *out->name)
    CLEAR(vlan), CLEAR(version), CLEAR(ttl), CLEAR(tos), CLEAR(ip_id), CLEAR(ip_length), CLEAR(source_high), CLEAR(source_low);
    CLEAR(destination_high), CLEAR(destination_low), CLEAR(source_port), CLEAR(destination_port), CLEAR(seq), CLEAR(ack);
    CLEAR(flags), CLEAR(window), CLEAR(checksum), CLEAR(header_bytes), CLEAR(payload_at), CLEAR(icmp), CLEAR(opening);
    CLEAR(has_stamp), CLEAR(stamp), CLEAR(echo), CLEAR(mss), CLEAR(sack_permitted), CLEAR(sacks);
    memset(out->scale + row, -1, (size_t)count);
#undef CLEAR
}

/* Every column of layers.dissect; the number of SACK blocks, for which there is room for four a row: no more fit into 40 bytes
 * of options. */
i64 headers(const uint8_t *data, i64 size, const struct frames *frames, const i64 *linktypes, struct packets *out) {
    i64 blocks = 0;
    for (i64 row = 0; row < frames->rows; row++) {
        if (row % TOGETHER == 0) clear(out, row, least(TOGETHER, frames->rows - row));
        i64 at = frames->at[row], captured = frames->captured[row], wire = frames->wire[row], from = frames->interface[row];
        out->frame[row] = frames->first + row, out->time_ns[row] = frames->time_ns[row];
        out->interface[row] = (uint16_t)from, out->captured[row] = (uint32_t)captured, out->wire[row] = (uint32_t)wire;
        struct frame f = {data, size, row, at, at + captured, wire, at, 0, 0, 0};
        unsigned kind = link_layer(&f, linktypes[from], out);
        if (kind == IP4) ip4(&f, out);
        else if (kind == IP6) ip6(&f, out);
        if (out->version[row] && !(f.state & FRAGMENT)) {
            if (f.protocol == IS_TCP) blocks = tcp(&f, out, blocks);
            else if (f.protocol == IS_UDP) udp(&f, out);
            else if (f.protocol == IS_ICMP || f.protocol == IS_ICMP6) icmp(&f, out);
        }
        out->protocol[row] = f.protocol, out->state[row] = f.state;
        out->payload[row] = (uint32_t)f.payload;
    }
    return blocks;
}
