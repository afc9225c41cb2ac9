/*
 * The parsers of the native program as a server: one input on standard input, one answer on standard output.
 * A sanitizer's finding ends the process; the one who asks knows the input.
 */
#ifndef CORDON_FUZZ_HARNESS_H
#define CORDON_FUZZ_HARNESS_H

#include <stddef.h>

/* Ends the run of this input: the program would have ended here. */
_Noreturn void harness_end(const char *why);
/* Ends the run of this input: the property does not hold. */
_Noreturn void harness_broken(const char *what);

/* Each gets its own copy of the input, as long as the input is, so that a read behind its end is seen. */
void run_guard(const unsigned char *bytes, size_t length);
void run_launch(const unsigned char *bytes, size_t length);
void run_command(const unsigned char *bytes, size_t length);
void run_control(const unsigned char *bytes, size_t length);

#endif
