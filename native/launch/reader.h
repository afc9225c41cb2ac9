/*
 * A cursor over a description: little-endian integers, and strings as u32 length, bytes, NUL.
 * Every read is checked against the end; the first wrong one ends the process (fail closed). Strings point into the buffer.
 */
#ifndef CORDON_READER_H
#define CORDON_READER_H

#include <stddef.h>
#include <stdint.h>

struct reader {
  const unsigned char *at;
  const unsigned char *end;
};

struct reader reader_open(const void *bytes, size_t length, uint32_t magic);
uint32_t reader_u32(struct reader *reader);
uint64_t reader_u64(struct reader *reader);
/* Number of items that follow; more than `max` is refused. */
uint32_t reader_count(struct reader *reader, uint32_t max);
/* No NUL inside; at most `max` bytes. */
const char *reader_string(struct reader *reader, size_t max);
const unsigned char *reader_bytes(struct reader *reader, size_t max, size_t *length);
/* INVARIANT: nothing may follow the last field. */
void reader_close(const struct reader *reader);

#endif
