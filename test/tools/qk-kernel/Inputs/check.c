/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Links a kernel that qk-kernel made (function `kernel`, header HEADER) and
 * compares it with the formula in double on odd numbers of rows and channels.
 * Every array ends at a page that can't be touched, so that one byte too far is
 * a crash. Defined by who compiles it:
 *   HEADER     the header
 *   ZEROS BIAS   the kernel has zero points, a bias
 *   CODE BITS    type of a code; bits
 *   SCALE        f16, bf16 or f32: type of scales; ELEMENT: of x and y
 *   XCODE        x comes as codes of this type; XSCALES: 1 (for all), 2 (a
 *                row), 3 (a row and group)
 *   XLIMIT       x is float and quantised by the kernel, to codes of at most
 *                this; with XSCALES 2 or 3
 *   TOLERANCE    of the error, over the sum of the terms' magnitudes; the
 *                rounding of x to codes is added to it
 */
#include HEADER

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { f32, f16, bf16 };
#define K KERNEL_K
#define GROUPS KERNEL_GROUPS

/* Random numbers that are the same everywhere. */
static uint64_t state = 88172645463325252u;
static uint32_t next(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 32);
}
static float uniform(void) { return (float)(int32_t)next() / 2147483648.0f; }

/* `bytes` of memory that end (up to `align`) at a page without access. */
static void *guarded(size_t bytes, size_t align) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  size_t room = (bytes + page - 1) / page * page;
  uint8_t *base = mmap(NULL, room + page, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED || mprotect(base + room, page, PROT_NONE) != 0)
    abort();
  return base + (room - bytes) / align * align;
}

static float bits(uint32_t word) {
  float value;
  memcpy(&value, &word, 4);
  return value;
}
static float fromHalf(uint16_t half) {
  uint32_t magnitude = half & 0x7fffu;
  float value = magnitude < 0x400 ? (float)magnitude * 0x1p-24f
                                  : bits((magnitude << 13) + 0x38000000u);
  return half & 0x8000 ? -value : value;
}
static uint16_t toHalf(float value) {
  /* Only numbers that f16 holds exactly are stored here. */
  uint32_t word;
  memcpy(&word, &value, 4);
  uint32_t magnitude = word & 0x7fffffffu;
  uint16_t sign = (uint16_t)(word >> 16 & 0x8000u);
  if (magnitude == 0)
    return sign;
  if (magnitude < 0x38800000u)
    return (uint16_t)(sign | (uint16_t)(fabsf(value) * 0x1p24f));
  return (uint16_t)(sign | (magnitude - 0x38000000u) >> 13);
}

static float load(const void *data, int64_t i, int type) {
  if (type == f32)
    return ((const float *)data)[i];
  uint16_t half = ((const uint16_t *)data)[i];
  return type == f16 ? fromHalf(half) : bits((uint32_t)half << 16);
}
/* `value` must be exact in the type: small multiples of powers of two are. */
static void store(void *data, int64_t i, int type, float value) {
  if (type == f32) {
    ((float *)data)[i] = value;
    return;
  }
  uint32_t word;
  memcpy(&word, &value, 4);
  ((uint16_t *)data)[i] = type == f16 ? toHalf(value) : (uint16_t)(word >> 16);
}
static size_t size(int type) { return type == f32 ? 4 : 2; }
#ifndef XCODE
/* 7 significant bits: exact in every type. */
static float coarse(float value) { return roundf(value * 127) / 128; }
#endif

#ifdef XLIMIT
/* Half a step of row r's codes at k. */
static double halfStep(const void *x, int64_t row, int64_t k) {
  int64_t first = 0, last = K;
  if (XSCALES == 3) {
    first = k / KERNEL_GROUP * KERNEL_GROUP;
    last = first + KERNEL_GROUP < K ? first + KERNEL_GROUP : K;
  }
  double most = 0;
  for (int64_t i = first; i < last; ++i)
    most = fmax(most, fabs(load(x, row + i, ELEMENT)));
  return most / XLIMIT / 2;
}
#endif

static double worst = 0;

static int check(int64_t m, int64_t n, int64_t pad) {
  int64_t xStride = K + pad, yStride = n + pad;
  CODE *codes = malloc((size_t)(n * K) * sizeof(CODE));
  for (int64_t i = 0; i < n * K; ++i)
    codes[i] = (CODE)(next() & ((1u << BITS) - 1));
  void *scales = malloc((size_t)(n * GROUPS) * size(SCALE));
  for (int64_t i = 0; i < n * GROUPS; ++i)
    store(scales, i, SCALE,
          i % 11 == 0 ? 0 : (float)(1 + next() % 64) / (i % 7 ? 1024 : 65536));
  uint8_t *packed = guarded(kernel_packed_bytes(n), 64);
#ifdef ZEROS
  int16_t *zeros = malloc((size_t)(n * GROUPS) * 2);
  for (int64_t i = 0; i < n * GROUPS; ++i)
    zeros[i] = (int16_t)(CODE)(next() & ((1u << BITS) - 1));
  kernel_pack(n, codes, scales, zeros, packed);
#else
  kernel_pack(n, codes, scales, packed);
#endif
  double zeroPoint = (CODE)-1 < 0 ? 0 : 1 << (BITS - 1);

  size_t rows = (size_t)((m - 1) * xStride + K);
#ifdef XCODE
  XCODE *x = guarded(rows * sizeof(XCODE), sizeof(XCODE));
  int limit = sizeof(XCODE) == 2 ? 32639 : 127;
  for (size_t i = 0; i < rows; ++i)
    x[i] = (XCODE)(i % 13 == 0   ? limit
                   : i % 17 == 0 ? (sizeof(XCODE) == 1 ? -128 : -limit)
                                 : (int)(next() % (2 * limit + 1)) - limit);
  int64_t perRow = XSCALES == 3 ? GROUPS : 1, count = XSCALES == 1 ? 1 : m;
  float *xScales = guarded((size_t)(count * perRow) * 4, 4);
  for (int64_t i = 0; i < count * perRow; ++i)
    xScales[i] = i % 5 == 4 ? 0 : (float)(1 + next() % 1000) / 1e5f;
#else
  uint8_t *x = guarded(rows * size(ELEMENT), size(ELEMENT));
  for (size_t i = 0; i < rows; ++i)
    store(x, (int64_t)i, ELEMENT,
          i % 97 == 0 ? 8.0f : coarse(uniform()) * (i / K % 3 ? 1 : 0x1p-12f));
#endif
  float *bias = guarded((size_t)n * 4, 4);
  for (int64_t i = 0; i < n; ++i)
    bias[i] = uniform();
  uint8_t *y =
      guarded((size_t)((m - 1) * yStride + n) * size(ELEMENT), size(ELEMENT));
  memset(y, 0x5a, (size_t)((m - 1) * yStride + n) * size(ELEMENT));
  void *workspace = guarded(kernel_workspace_bytes(m), 64);
  int status = kernel(m, n, (void *)x, xStride,
#ifdef XCODE
                      xScales,
#endif
                      packed,
#ifdef BIAS
                      bias,
#endif
                      (void *)y, yStride, workspace);
  if (status != 0) {
    printf("no level of the object runs here: %d\n", status);
    return 1;
  }
  double *step = calloc(K, sizeof(double));
  for (int64_t r = 0; r < m; ++r) {
#ifdef XLIMIT
    for (int64_t k = 0; k < K; ++k)
      step[k] = k > 0 && (XSCALES == 2 || k % KERNEL_GROUP != 0)
                    ? step[k - 1]
                    : halfStep(x, r * xStride, k);
#endif
    for (int64_t c = 0; c < n; ++c) {
      double sum = 0, magnitude = 0, rounding = 0;
      for (int64_t k = 0; k < K; ++k) {
        int64_t at = c * GROUPS + k / KERNEL_GROUP;
        double zero = zeroPoint;
#ifdef ZEROS
        zero = zeros[at];
#endif
        double weight =
            load(scales, at, SCALE) * ((double)codes[c * K + k] - zero);
#ifdef XCODE
        double value =
            x[r * xStride + k] *
            (double)xScales[XSCALES == 1   ? 0
                            : XSCALES == 2 ? r
                                           : r * GROUPS + k / KERNEL_GROUP];
#else
        double value = load(x, r * xStride + k, ELEMENT);
#endif
        sum += value * weight;
        magnitude += fabs(value * weight);
        rounding += step[k] * fabs(weight);
      }
#ifdef BIAS
      sum += bias[c];
      magnitude += fabs(bias[c]);
#endif
      double got = load(y, r * yStride + c, ELEMENT);
      double bound = TOLERANCE * magnitude + rounding;
      /* Half a step of the smallest f16. */
      bound += ELEMENT == f16 ? 0x1p-25 : 1e-30;
      double error = fabs(got - sum) / bound;
      if (!(error <= 1)) {
        printf("m=%lld n=%lld: y[%lld,%lld]: expected %.9g, got %.9g\n",
               (long long)m, (long long)n, (long long)r, (long long)c, sum,
               got);
        return 1;
      }
      if (error > worst)
        worst = error;
    }
    /* Nothing between the rows is written. */
    for (int64_t i = r * yStride + n; r + 1 < m && i < (r + 1) * yStride; ++i)
      for (size_t b = 0; b < size(ELEMENT); ++b)
        if (y[(size_t)i * size(ELEMENT) + b] != 0x5a) {
          printf("m=%lld n=%lld: wrote behind row %lld\n", (long long)m,
                 (long long)n, (long long)r);
          return 1;
        }
  }
  free(step);
  free(codes);
  free(scales);
  return 0;
}

int main(void) {
  static const int64_t shapes[][3] = {
      {1, 1, 0},  {1, 64, 0}, {1, 49, 3}, {2, 65, 1},  {3, 130, 0},
      {5, 17, 2}, {6, 63, 0}, {7, 33, 5}, {13, 96, 0}, {29, 70, 1}};
  for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); ++i)
    if (check(shapes[i][0], shapes[i][1], shapes[i][2]))
      return 1;
  printf("ok, at most %.2f of the bound\n", worst);
  return 0;
}
