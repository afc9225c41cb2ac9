#include "capture.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include "netlink.h"

/* One address family in numbers: where its header has the destination, and what counts as loopback. */
struct family {
  uint8_t netfilter; /* NFPROTO_IPV4, NFPROTO_IPV6 */
  uint8_t route;     /* AF_INET, AF_INET6 */
  uint32_t destination;
  uint32_t length;
  unsigned char mask[16];
  unsigned char loopback[16];
  const char *own;
};

static const struct family v4_family = {
    .netfilter = NFPROTO_IPV4,
    .route = AF_INET,
    .destination = 16,
    .length = 4,
    .mask = {255},
    .loopback = {127},
    .own = CAPTURE_ADDRESS_4,
};
static const struct family v6_family = {
    .netfilter = NFPROTO_IPV6,
    .route = AF_INET6,
    .destination = 24,
    .length = 16,
    .mask = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255},
    .loopback = {[15] = 1},
    .own = CAPTURE_ADDRESS_6,
};

enum { LOOPBACK_INDEX = 1 };

static const char table[] = "cordon";

static void own_address(const struct family *family, unsigned char bytes[16]) {
  inet_pton(family->route, family->own, bytes);
}

/* ---- nf_tables: attributes are big-endian; a rule is a list of expressions over registers ---- */

static void put_text(struct netlink *netlink, uint16_t type, const char *text) {
  netlink_attribute(netlink, type, text, strlen(text) + 1);
}

static void put_number(struct netlink *netlink, uint16_t type, uint32_t value) {
  uint32_t bytes = htobe32(value);
  netlink_attribute(netlink, type, &bytes, sizeof bytes);
}

static void put_value(struct netlink *netlink, uint16_t type, const void *bytes, size_t length) {
  size_t opened = netlink_open(netlink, type);
  netlink_attribute(netlink, NFTA_DATA_VALUE, bytes, length);
  netlink_close(netlink, opened);
}

static void begin(struct netlink *netlink, int message, uint16_t flags, const struct family *family) {
  struct nfgenmsg header = {.nfgen_family = family->netfilter, .version = NFNETLINK_V0};
  netlink_begin(netlink, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | message), flags, 1);
  netlink_put(netlink, &header, sizeof header);
}

static void batch_mark(struct netlink *netlink, uint16_t type) {
  struct nfgenmsg header = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htobe16(NFNL_SUBSYS_NFTABLES)};
  netlink_begin(netlink, type, 0, 0);
  netlink_put(netlink, &header, sizeof header);
}

struct expression {
  size_t element;
  size_t data;
};

static struct expression open_expression(struct netlink *netlink, const char *name) {
  struct expression expression;
  expression.element = netlink_open(netlink, NFTA_LIST_ELEM);
  put_text(netlink, NFTA_EXPR_NAME, name);
  expression.data = netlink_open(netlink, NFTA_EXPR_DATA);
  return expression;
}

static void close_expression(struct netlink *netlink, struct expression expression) {
  netlink_close(netlink, expression.data);
  netlink_close(netlink, expression.element);
}

static void load_constant(struct netlink *netlink, uint32_t into, const void *bytes, size_t length) {
  struct expression expression = open_expression(netlink, "immediate");
  put_number(netlink, NFTA_IMMEDIATE_DREG, into);
  put_value(netlink, NFTA_IMMEDIATE_DATA, bytes, length);
  close_expression(netlink, expression);
}

static void compare(struct netlink *netlink, uint32_t operation, const void *bytes, size_t length) {
  struct expression expression = open_expression(netlink, "cmp");
  put_number(netlink, NFTA_CMP_SREG, NFT_REG_1);
  put_number(netlink, NFTA_CMP_OP, operation);
  put_value(netlink, NFTA_CMP_DATA, bytes, length);
  close_expression(netlink, expression);
}

static void match_tcp(struct netlink *netlink, uint32_t operation) {
  unsigned char tcp = IPPROTO_TCP;
  struct expression expression = open_expression(netlink, "meta");
  put_number(netlink, NFTA_META_DREG, NFT_REG_1);
  put_number(netlink, NFTA_META_KEY, NFT_META_L4PROTO);
  close_expression(netlink, expression);
  compare(netlink, operation, &tcp, sizeof tcp);
}

static void load_destination(struct netlink *netlink, const struct family *family) {
  struct expression expression = open_expression(netlink, "payload");
  put_number(netlink, NFTA_PAYLOAD_DREG, NFT_REG_1);
  put_number(netlink, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
  put_number(netlink, NFTA_PAYLOAD_OFFSET, family->destination);
  put_number(netlink, NFTA_PAYLOAD_LEN, family->length);
  close_expression(netlink, expression);
}

static void match_not_loopback(struct netlink *netlink, const struct family *family) {
  static const unsigned char nothing[16];
  load_destination(netlink, family);
  struct expression expression = open_expression(netlink, "bitwise");
  put_number(netlink, NFTA_BITWISE_SREG, NFT_REG_1);
  put_number(netlink, NFTA_BITWISE_DREG, NFT_REG_1);
  put_number(netlink, NFTA_BITWISE_LEN, family->length);
  put_value(netlink, NFTA_BITWISE_MASK, family->mask, family->length);
  put_value(netlink, NFTA_BITWISE_XOR, nothing, family->length);
  close_expression(netlink, expression);
  compare(netlink, NFT_CMP_NEQ, family->loopback, family->length);
}

static void put_chain(struct netlink *netlink, const struct family *family, const char *name, uint32_t hook, int32_t priority) {
  begin(netlink, NFT_MSG_NEWCHAIN, NLM_F_CREATE, family);
  put_text(netlink, NFTA_CHAIN_TABLE, table);
  put_text(netlink, NFTA_CHAIN_NAME, name);
  put_text(netlink, NFTA_CHAIN_TYPE, "filter");
  size_t opened = netlink_open(netlink, NFTA_CHAIN_HOOK);
  put_number(netlink, NFTA_HOOK_HOOKNUM, hook);
  put_number(netlink, NFTA_HOOK_PRIORITY, (uint32_t)priority);
  netlink_close(netlink, opened);
}

static size_t open_rule(struct netlink *netlink, const struct family *family, const char *chain) {
  begin(netlink, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, family);
  put_text(netlink, NFTA_RULE_TABLE, table);
  put_text(netlink, NFTA_RULE_CHAIN, chain);
  return netlink_open(netlink, NFTA_RULE_EXPRESSIONS);
}

/* meta l4proto tcp, daddr not loopback: tproxy to OWN:CAPTURE_PORT */
static void put_capture(struct netlink *netlink, const struct family *family) {
  enum { PRIORITY_MANGLE = -150 };
  unsigned char own[16];
  uint16_t port = htobe16(CAPTURE_PORT);
  put_chain(netlink, family, "capture", NF_INET_PRE_ROUTING, PRIORITY_MANGLE);
  size_t opened = open_rule(netlink, family, "capture");
  match_tcp(netlink, NFT_CMP_EQ);
  match_not_loopback(netlink, family);
  own_address(family, own);
  load_constant(netlink, NFT_REG_1, own, family->length);
  load_constant(netlink, NFT_REG_2, &port, sizeof port);
  struct expression expression = open_expression(netlink, "tproxy");
  put_number(netlink, NFTA_TPROXY_FAMILY, family->netfilter);
  put_number(netlink, NFTA_TPROXY_REG_ADDR, NFT_REG_1);
  put_number(netlink, NFTA_TPROXY_REG_PORT, NFT_REG_2);
  close_expression(netlink, expression);
  netlink_close(netlink, opened);
}

/* meta l4proto not tcp, daddr neither loopback nor our own: drop */
static void put_refusal(struct netlink *netlink, const struct family *family) {
  unsigned char own[16];
  put_chain(netlink, family, "refuse", NF_INET_LOCAL_OUT, 0);
  size_t opened = open_rule(netlink, family, "refuse");
  match_tcp(netlink, NFT_CMP_NEQ);
  match_not_loopback(netlink, family);
  load_destination(netlink, family);
  own_address(family, own);
  compare(netlink, NFT_CMP_NEQ, own, family->length);
  struct expression expression = open_expression(netlink, "immediate");
  put_number(netlink, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
  size_t data = netlink_open(netlink, NFTA_IMMEDIATE_DATA);
  size_t verdict = netlink_open(netlink, NFTA_DATA_VERDICT);
  put_number(netlink, NFTA_VERDICT_CODE, NF_DROP);
  netlink_close(netlink, verdict);
  netlink_close(netlink, data);
  close_expression(netlink, expression);
  netlink_close(netlink, opened);
}

static void put_rules(struct netlink *netlink, const struct family *family) {
  begin(netlink, NFT_MSG_NEWTABLE, NLM_F_CREATE, family);
  put_text(netlink, NFTA_TABLE_NAME, table);
  put_capture(netlink, family);
  put_refusal(netlink, family);
}

/* ---- rtnetlink ---- */

/* local default dev lo src OWN */
static void put_route(struct netlink *netlink, const struct family *family) {
  struct rtmsg route = {
      .rtm_family = family->route,
      .rtm_table = RT_TABLE_LOCAL,
      .rtm_protocol = RTPROT_STATIC,
      .rtm_scope = RT_SCOPE_HOST,
      .rtm_type = RTN_LOCAL,
  };
  uint32_t index = LOOPBACK_INDEX;
  unsigned char own[16];
  own_address(family, own);
  netlink_begin(netlink, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, 1);
  netlink_put(netlink, &route, sizeof route);
  netlink_attribute(netlink, RTA_OIF, &index, sizeof index);
  netlink_attribute(netlink, RTA_PREFSRC, own, family->length);
}

int capture_address(int which) {
  const struct family *family = which == AF_INET ? &v4_family : &v6_family;
  struct netlink netlink = {.length = 0};
  unsigned char own[16];
  struct ifaddrmsg address = {
      .ifa_family = family->route,
      .ifa_prefixlen = (uint8_t)(family->length * 8),
      /* No other host can have it: waiting for duplicates would only keep it from being used. */
      .ifa_flags = IFA_F_PERMANENT | (which == AF_INET6 ? IFA_F_NODAD : 0),
      .ifa_scope = RT_SCOPE_UNIVERSE,
      .ifa_index = LOOPBACK_INDEX,
  };
  own_address(family, own);
  netlink_begin(&netlink, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, 1);
  netlink_put(&netlink, &address, sizeof address);
  netlink_attribute(&netlink, IFA_LOCAL, own, family->length);
  netlink_attribute(&netlink, IFA_ADDRESS, own, family->length);
  return netlink_exchange(&netlink, NETLINK_ROUTE);
}

int capture_install(int v6) {
  struct netlink rules = {.length = 0};
  batch_mark(&rules, NFNL_MSG_BATCH_BEGIN);
  put_rules(&rules, &v4_family);
  if (v6) put_rules(&rules, &v6_family);
  batch_mark(&rules, NFNL_MSG_BATCH_END);
  if (netlink_exchange(&rules, NETLINK_NETFILTER) != 0) return -1;
  struct netlink routes = {.length = 0};
  put_route(&routes, &v4_family);
  if (v6) put_route(&routes, &v6_family);
  return netlink_exchange(&routes, NETLINK_ROUTE);
}

int capture_listener(int fd, int family) {
  int on = 1;
  if (family == AF_INET) return setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof on);
  return setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &on, sizeof on);
}
