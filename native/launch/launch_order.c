#include "launch.h"
#include "reader.h"

void launch_order_read(const void *bytes, size_t length, struct launch_order *order) {
  struct reader reader = reader_open(bytes, length, LAUNCH_MAGIC);
  struct confinement *confinement = &order->confinement;
  confinement->landlock_required = reader_u32(&reader);
  confinement->landlock_abi_min = reader_u32(&reader);
  confinement->seccomp_required = reader_u32(&reader);
  confinement->open_files = reader_u64(&reader);
  confinement->file_bytes = reader_u64(&reader);
  confinement->processes = reader_u64(&reader);
  confinement->data_bytes = reader_u64(&reader);
  confinement->rules_count = reader_count(&reader, CONFINE_RULES_MAX);
  for (unsigned i = 0; i < confinement->rules_count; i++) {
    confinement->rules[i].rights = reader_u64(&reader);
    confinement->rules[i].path = reader_string(&reader, 4095);
  }
  confinement->filter = reader_bytes(&reader, CONFINE_FILTER_BYTES_MAX, &confinement->filter_length);
  order->masked_count = reader_count(&reader, LAUNCH_MASKED_MAX);
  for (unsigned i = 0; i < order->masked_count; i++) order->masked[i] = reader_string(&reader, 4095);
  order->main = reader_bytes(&reader, COMMAND_BYTES_MAX, &order->main_length);
  reader_close(&reader);
}
