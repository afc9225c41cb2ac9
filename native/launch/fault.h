/* The one way to fail: a line on descriptor 2 that names the layer, then the end of this process. */
#ifndef CORDON_FAULT_H
#define CORDON_FAULT_H

/* Prints "cordon-launch: LAYER: WHAT: ERRNO TEXT" (errno 0: no text) and ends the process with status 70. */
_Noreturn void fault(const char *layer, const char *what);

#endif
