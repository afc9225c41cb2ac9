/*
 * The sandbox's whole network: loopback, and the sockets that the gateway accepts from (gateway.md §1.2). Made by the
 * guard's child in the new network namespace before bubblewrap, so that nothing inside ever has a right over either.
 */
#ifndef CORDON_SOCKETS_H
#define CORDON_SOCKETS_H

/* Brings loopback up, listens, hands every socket over as `{"socket":KIND,"address":A,"of":COUNT}` and closes it here. */
void sockets_hand_over(int channel);

#endif
