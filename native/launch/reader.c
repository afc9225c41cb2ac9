#include "reader.h"

#include <errno.h>
#include <string.h>

#include "fault.h"

static _Noreturn void malformed(const char *what) {
  errno = 0;
  fault("description", what);
}

static const unsigned char *take(struct reader *reader, size_t length) {
  if ((size_t)(reader->end - reader->at) < length) malformed("ends too early");
  const unsigned char *bytes = reader->at;
  reader->at += length;
  return bytes;
}

struct reader reader_open(const void *bytes, size_t length, uint32_t magic) {
  struct reader reader = {bytes, (const unsigned char *)bytes + length};
  if (reader_u32(&reader) != magic) malformed("wrong magic or version");
  if (reader_u32(&reader) != length) malformed("wrong length");
  return reader;
}

uint32_t reader_u32(struct reader *reader) {
  const unsigned char *b = take(reader, 4);
  return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

uint64_t reader_u64(struct reader *reader) {
  uint64_t low = reader_u32(reader);
  return low | (uint64_t)reader_u32(reader) << 32;
}

uint32_t reader_count(struct reader *reader, uint32_t max) {
  uint32_t count = reader_u32(reader);
  if (count > max) malformed("too many items");
  return count;
}

const unsigned char *reader_bytes(struct reader *reader, size_t max, size_t *length) {
  uint32_t size = reader_u32(reader);
  if (size > max) malformed("field too long");
  *length = size;
  return take(reader, size);
}

const char *reader_string(struct reader *reader, size_t max) {
  size_t length;
  const char *text = (const char *)reader_bytes(reader, max, &length);
  const unsigned char *nul = take(reader, 1);
  if (*nul != 0 || memchr(text, 0, length) != NULL) malformed("string with a NUL inside or none at its end");
  return text;
}

void reader_close(const struct reader *reader) {
  if (reader->at != reader->end) malformed("bytes after the last field");
}
