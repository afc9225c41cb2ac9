/*
 * Control frames: four little-endian u32, type first. Fixed size; an unknown type or a wrong value is a malformed
 * frame, and a malformed frame ends the sandbox (both ends are ours, so it means that something is badly wrong).
 */
#ifndef CORDON_FRAME_H
#define CORDON_FRAME_H

#include <stdint.h>
#include <sys/types.h>

struct frame {
  uint32_t type;
  uint32_t a;
  uint32_t b;
  uint32_t c;
};

enum {
  /* supervisor to guard */
  FRAME_GUARD_KILL = 0x101,
  /* supervisor to launcher; a = command */
  FRAME_OPEN = 1,   /* the agent may start */
  FRAME_SIGNAL = 2, /* b = signal number */
  FRAME_RESIZE = 3, /* b = columns, c = rows */
  FRAME_EXEC = 4,   /* b = serial number, by which its streams are named; c = length of the command description that follows */
  /* launcher to supervisor; a = command */
  FRAME_READY = 16,   /* a = Landlock ABI in force (0: none), c = 1: seccomp in force */
  FRAME_STARTED = 17, /* b = pid inside */
  FRAME_FAILED = 18,  /* b = errno, c = step */
  FRAME_EXIT = 19,    /* b = status, c = signal or 0 */
};

/* Collects one frame from a stream that may give it in pieces. */
struct frame_reader {
  unsigned char bytes[16];
  unsigned have;
};

/* 1: a frame is there. 0: not yet. -1: end of the stream or an error. */
int frame_read(struct frame_reader *reader, int fd, struct frame *frame);
/* Blocks until written; -1 when the other side is gone. */
int frame_write(int fd, struct frame frame);

#endif
