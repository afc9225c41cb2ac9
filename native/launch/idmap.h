/* User namespaces as owner tables for id-mapped mounts (mount_setattr(2)). */
#ifndef CORDON_IDMAP_H
#define CORDON_IDMAP_H

#include <sys/types.h>

/* A descriptor of a namespace in which the owner on disk appears as `to_*`. No other user is mapped: what others own
 * belongs to nobody inside, and cannot be changed there. `to_gid` must be above every group in use (65535). */
int idmap_open(uid_t owner_uid, gid_t owner_gid, uid_t to_uid, gid_t to_gid);

#endif
