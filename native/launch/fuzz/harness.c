/*
 * Input:  kind (1 byte: g l c f), length (u32 little-endian), bytes.
 * Answer: outcome (1 byte: 0 accepted, 1 refused, 2 property broken), length of the words (1 byte), words, number of
 *         places that were reached for the first time (u16), each a u16.
 */
#include "harness.h"

#include <errno.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../fault.h"

enum { PLACES = 1 << 16, INPUT_MAX = 8 << 20 };

static jmp_buf leave;
static char words[256];
static unsigned char seen[PLACES];
static uint16_t fresh[PLACES];
static unsigned fresh_count;
extern char __executable_start;

/* Called by the compiler at every edge of the parsers; also before the sanitizers are ready. */
void __sanitizer_cov_trace_pc(void);
__attribute__((no_sanitize("address", "undefined"))) void __sanitizer_cov_trace_pc(void) {
  uintptr_t at = (uintptr_t)__builtin_return_address(0) - (uintptr_t)&__executable_start;
  uint16_t place = (uint16_t)(at ^ (at >> 16));
  if (seen[place]) return;
  seen[place] = 1;
  fresh[fresh_count++] = place;
}

_Noreturn void harness_end(const char *why) {
  snprintf(words, sizeof words, "%s", why);
  longjmp(leave, 1);
}

_Noreturn void harness_broken(const char *what) {
  snprintf(words, sizeof words, "%s", what);
  longjmp(leave, 2);
}

/* In place of fault.c: the process goes on with the next input. */
_Noreturn void fault(const char *layer, const char *what) {
  snprintf(words, sizeof words, "%s: %s", layer, what);
  longjmp(leave, 1);
}

static void read_all(void *into, size_t length) {
  for (size_t at = 0; at < length;) {
    ssize_t got = read(0, (char *)into + at, length - at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) exit(0);
    at += (size_t)got;
  }
}

static void write_all(const void *from, size_t length) {
  for (size_t at = 0; at < length;) {
    ssize_t put = write(1, (const char *)from + at, length - at);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) exit(0);
    at += (size_t)put;
  }
}

static void run(unsigned char kind, const unsigned char *bytes, size_t length) {
  switch (kind) {
    case 'g': run_guard(bytes, length); return;
    case 'l': run_launch(bytes, length); return;
    case 'c': run_command(bytes, length); return;
    case 'f': run_control(bytes, length); return;
    default: exit(64);
  }
}

int main(void) {
  for (;;) {
    unsigned char head[5];
    read_all(head, sizeof head);
    size_t length = (size_t)head[1] | (size_t)head[2] << 8 | (size_t)head[3] << 16 | (size_t)head[4] << 24;
    if (length > INPUT_MAX) return 64;
    unsigned char *bytes = malloc(length);
    if (length > 0 && bytes == NULL) return 71;
    read_all(bytes, length);
    fresh_count = 0;
    words[0] = 0;
    int outcome = setjmp(leave);
    if (outcome == 0) run(head[0], bytes, length);
    free(bytes);
    unsigned char answer[2] = {(unsigned char)outcome, (unsigned char)strlen(words)};
    uint16_t count = (uint16_t)(fresh_count < PLACES ? fresh_count : PLACES - 1);
    write_all(answer, sizeof answer);
    write_all(words, answer[1]);
    write_all(&count, sizeof count);
    write_all(fresh, count * sizeof fresh[0]);
  }
}
