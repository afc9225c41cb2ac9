/*
 * Node's IPC channel, from the child's side: one JSON line per message, a descriptor as SCM_RIGHTS. The format is Node's
 * internal one and is pinned by a test. Types `net.Native` and, for UDP, `dgram.Native`: the receiver holds a plain
 * descriptor and does not start to accept or read on it (with `net.Server` every process that passes it on would).
 */
#ifndef CORDON_CHANNEL_H
#define CORDON_CHANNEL_H

/* `type` as above, `body` a JSON object. Ends the process when the supervisor is gone. */
void channel_send(int channel, const char *type, const char *body, int fd);
/* Throws away what Node answers (acknowledgements). -1: the channel ended. */
int channel_drain(int channel);

#endif
