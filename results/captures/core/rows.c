/* Columns as rows and back: what spool.py keeps of a segment. */
#include "core.h"

#define EACH(width) for (i64 i = begin; i < end; i++) memcpy(row + i * row_bytes, from + order[i] * (width), width)
#define BACK(width) for (i64 i = begin; i < end; i++) memcpy(to + i * (width), row + i * row_bytes, width)

/* Rows `order` of the columns, each so many bytes wide and one behind the other in a row. */
void pack(i64 columns, const uint8_t *const *column, const i64 *widths, i64 count, const i64 *order, uint8_t *rows, i64 row_bytes) {
    for (i64 begin = 0; begin < count; begin += TOGETHER) {
        i64 end = least(begin + TOGETHER, count);
        uint8_t *row = rows;
        for (i64 one = 0; one < columns; row += widths[one++]) {
            const uint8_t *from = column[one];
            switch (widths[one]) {
            case 8: EACH(8); break;
            case 4: EACH(4); break;
            case 2: EACH(2); break;
            default: EACH(1);
            }
        }
    }
}

void unpack(i64 columns, uint8_t *const *column, const i64 *widths, i64 count, const uint8_t *rows, i64 row_bytes) {
    for (i64 begin = 0; begin < count; begin += TOGETHER) {
        i64 end = least(begin + TOGETHER, count);
        const uint8_t *row = rows;
        for (i64 one = 0; one < columns; row += widths[one++]) {
            uint8_t *to = column[one];
            switch (widths[one]) {
            case 8: BACK(8); break;
            case 4: BACK(4); break;
            case 2: BACK(2); break;
            default: BACK(1);
            }
        }
    }
}
