/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* One product by a kernel of K = 64 in groups of 32 with zero points: what it
 * returned, and the sum of 64 times 1 * 0.5 * (10 - 7). */
#include HEADER

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *aligned(size_t bytes) {
  return aligned_alloc(64, (bytes + 63) / 64 * 64);
}

int main(void) {
  static uint8_t codes[KERNEL_K];
  static uint16_t scales[KERNEL_GROUPS]; /* the bits of f16 */
  static int16_t zeros[KERNEL_GROUPS];
  static float x[KERNEL_K], y[1];
  for (int g = 0; g < KERNEL_GROUPS; ++g) {
    scales[g] = 0x3800; /* 0.5 */
    zeros[g] = 7;
  }
  for (int k = 0; k < KERNEL_K; ++k) {
    codes[k] = 10;
    x[k] = 1;
  }
  void *packed = aligned(kernel_packed_bytes(1));
  void *workspace = aligned(kernel_workspace_bytes(1));
  kernel_pack(1, codes, scales, zeros, packed);
  int result = kernel(1, 1, x, KERNEL_K, packed, y, 1, workspace);
  printf("returned %d, y = %g\n", result, y[0]);
  free(packed);
  free(workspace);
  return 0;
}
