/* <heddle/filter.h>: all that a filter can name. `heddle` carries this file; it is installed nowhere.
 *
 *   struct {
 *     __uint(type, BPF_MAP_TYPE_HASH);
 *     __uint(max_entries, 1024);
 *     __type(key, struct heddle_address);
 *     __type(value, __u8);
 *   } blocked SEC(".maps");
 *
 *   int filter(const struct heddle_request* request) { ... }   // not 0: the condition holds
 */
#ifndef HEDDLE_FILTER_H
#define HEDDLE_FILTER_H

#include <heddle/request.h>

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;

#define NULL ((void*)0)

/* Maps: these two types, pinned under the filter's name, and filled by whoever owns the node. */
enum {
  BPF_MAP_TYPE_HASH = 1,
  BPF_MAP_TYPE_ARRAY = 2,
};
enum {
  BPF_ANY = 0,
  BPF_NOEXIST = 1,
  BPF_EXIST = 2,
  BPF_F_NO_PREALLOC = 1,
};

#define SEC(name) __attribute__((section(name), used))
#define __uint(name, value) int(*name)[value]
#define __type(name, what) typeof(what)* name

struct heddle_address {
  __u8 bytes[16];
};

/* The helpers of the kernel that a filter may call. */
static void* (*const bpf_map_lookup_elem)(void* map, const void* key) __attribute__((unused)) = (void*)1;
static long (*const bpf_map_update_elem)(void* map, const void* key, const void* value, __u64 flags)
    __attribute__((unused)) = (void*)2;
static long (*const bpf_map_delete_elem)(void* map, const void* key) __attribute__((unused)) = (void*)3;
static __u64 (*const bpf_ktime_get_ns)(void) __attribute__((unused)) = (void*)5;
static __u32 (*const bpf_get_prandom_u32)(void) __attribute__((unused)) = (void*)7;

#define bpf_ntohs(x) __builtin_bswap16(x)
#define bpf_htons(x) __builtin_bswap16(x)
#define bpf_ntohl(x) __builtin_bswap32(x)
#define bpf_htonl(x) __builtin_bswap32(x)

static __attribute__((always_inline, unused)) inline int heddle_is_ipv4(const unsigned char* address) {
  for (int i = 0; i < 10; i++) {
    if (address[i]) return 0;
  }
  return address[10] == 0xff && address[11] == 0xff;
}

/* As four bytes in the order of the wire, behind heddle_is_ipv4. */
static __attribute__((always_inline, unused)) inline __u32 heddle_ipv4(const unsigned char* address) {
  return (__u32)address[12] | (__u32)address[13] << 8 | (__u32)address[14] << 16 | (__u32)address[15] << 24;
}

static __attribute__((always_inline, unused)) inline struct heddle_address heddle_address_of(const unsigned char* bytes) {
  struct heddle_address address;
  __builtin_memcpy(address.bytes, bytes, sizeof(address.bytes));
  return address;
}

#endif
