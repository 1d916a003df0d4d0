/* What every template includes first. */
#ifndef HEDDLE_LIB_BPF_H
#define HEDDLE_LIB_BPF_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf_templates/include/heddle/abi.h"

/* The compiler must neither reuse what it knew of a value before this, nor narrow what the verifier sees of it:
 * a 32-bit comparison of a register whose bounds LLVM knows is dropped, and the verifier then does not know them. */
#define HD_OPAQUE(value) asm volatile("" : "+r"(value))

/* Context fields are read one by one: LLVM merges neighbours into an access that the verifier refuses. */
#define HD_CONTEXT(field) (*(volatile typeof(field)*)&(field))

/* What somebody else may write meanwhile: as it is now, and read once. */
#define HD_READ(field) (*(volatile typeof(field)*)&(field))

/* Eight bytes at a time, the first in memory being the lowest. A mark is the top bit of a byte; the lowest mark is exact,
 * those above it may be wrong. */
#define HD_ONES 0x0101010101010101ull
#define HD_TOPS 0x8080808080808080ull

static __always_inline hd_u64 hd_below_space(hd_u64 eight) { return (eight - HD_ONES * 0x20) & ~eight & HD_TOPS; }
static __always_inline hd_u64 hd_is_zero(hd_u64 eight) { return (eight - HD_ONES) & ~eight & HD_TOPS; }
/* The number of the first byte that is marked; one is. */
static __always_inline hd_u32 hd_first_marked(hd_u64 marks) {
  return (hd_u32)(((((marks - 1) & ~marks) & HD_ONES) * HD_ONES) >> 56) - 1;
}

#define HD_AF_INET 2
#define HD_AF_INET6 10
#define HD_SOCK_STREAM 1
#define HD_IPPROTO_TCP 6
#define HD_ECONNREFUSED 111

static __always_inline void hd_mapped_address(hd_u8* out, hd_u32 address4) {
  hd_u32* words = (hd_u32*)out;
  words[0] = 0;
  words[1] = 0;
  words[2] = bpf_htonl(0xffff);
  words[3] = address4;
}

static __always_inline int hd_is_v4(const hd_u8* address) {
  const hd_u32* words = (const hd_u32*)address;
  return words[0] == 0 && words[1] == 0 && words[2] == bpf_htonl(0xffff);
}

static __always_inline void hd_copy_address(hd_u8* out, const hd_u8* in) {
  const hd_u64* from = (const hd_u64*)in;
  hd_u64* to = (hd_u64*)out;
  to[0] = from[0];
  to[1] = from[1];
}

#endif
