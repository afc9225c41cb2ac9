/* The modes of the one native program, by argv[1]. Each returns the exit status. */
#ifndef CORDON_MODES_H
#define CORDON_MODES_H

int guard_main(void);
int launch_main(void);
int probe_main(int argc, char **argv);
int tree_main(int argc, char **argv);
int leash_main(int argc, char **argv);

/* Descriptor numbers that the supervisor, the guard and the launcher agree on; 0 and 1 are /dev/null, 2 is the fault pipe. */
enum {
  FD_CHANNEL = 3,     /* Node's IPC channel: descriptors go to the supervisor */
  FD_CONTROL = 4,     /* guard: its frames. launcher: its own frames, by the same number */
  FD_LAUNCH = 5,      /* guard: the launcher's end of its control socket, passed on. launcher: its description */
  FD_ARGS = 6,        /* bubblewrap's arguments */
  FD_PROGRAM = 7,     /* this program, executed inside without being mounted there */
  FD_LIFELINE = 8,    /* ends when the guard ends */
  FD_FIRST_FREE = 9,
};

#endif
