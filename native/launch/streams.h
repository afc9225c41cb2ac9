/* A command's standard streams: a terminal, or three pipes. One end inside, relayed to a socket of the supervisor's. */
#ifndef CORDON_STREAMS_H
#define CORDON_STREAMS_H

#include <stdint.h>

#include "relay.h"

struct streams {
  struct relay relays[3];
  int master; /* of the terminal; -1 without */
  int inside[3]; /* what the command gets; closed by streams_release */
  unsigned inside_count; /* 1: a terminal, 3: pipes */
};

/* Hands the outer ends to the supervisor, each as `{"stream":NAME,"command":SERIAL}`: they come over another channel than
 * the frames, so the serial is never used twice. -1: no descriptors left. */
int streams_open(struct streams *streams, uint32_t serial, int terminal, uint32_t cols, uint32_t rows, int channel);
/* Closes our copies of the inner ends. */
void streams_release(struct streams *streams);
void streams_resize(const struct streams *streams, uint32_t cols, uint32_t rows);
/* Ends what is left of an earlier command of this slot; the supervisor has closed its ends. */
void streams_close(struct streams *streams);

#endif
