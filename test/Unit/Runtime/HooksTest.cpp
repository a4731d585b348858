//===- HooksTest.cpp - Assertions, profile, observation -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Runtime/Runtime.h"
#include "gtest/gtest.h"
#include <cstring>
#include <string>
#include <vector>

namespace {

TEST(Assert, ComesBackWithTheMessage) {
  char message[8];
  auto fail = [](void *) { qk_assert_fail("too large", 9); };
  EXPECT_EQ(qk_protect(fail, nullptr, message, sizeof(message)), 1);
  EXPECT_STREQ(message, "too lar");
  int calls = 0;
  EXPECT_EQ(qk_protect([](void *count) { ++*static_cast<int *>(count); },
                       &calls, message, sizeof(message)),
            0);
  EXPECT_EQ(calls, 1);
}

TEST(Assert, GoesToTheInnermostProtection) {
  auto outer = [](void *) {
    char inner[16];
    auto fail = [](void *) { qk_assert_fail("inner", 5); };
    EXPECT_EQ(qk_protect(fail, nullptr, inner, sizeof(inner)), 1);
    EXPECT_STREQ(inner, "inner");
    qk_assert_fail("outer", 5);
  };
  char message[16];
  EXPECT_EQ(qk_protect(outer, nullptr, message, sizeof(message)), 1);
  EXPECT_STREQ(message, "outer");
}

TEST(Assert, TellsWhatWasCompared) {
  char message[64];
  auto compare = [](void *predicate) {
    qk_assert_compare_fail("sizes differ", 5, -7,
                           *static_cast<int32_t *>(predicate), 512);
  };
  const char *expected[] = {
      "sizes: expected -7 == 512",     "sizes: expected -7 != 512",
      "sizes: expected -7 < 512",      "sizes: expected -7 <= 512",
      "sizes: expected -7 > 512",      "sizes: expected -7 >= 512",
      "sizes: expected 0 <= -7 < 512", "sizes: expected 0 <= -7 <= 512",
      "sizes: expected -7 > 512",      "sizes: expected -7 >= 512"};
  for (int32_t predicate = 0; predicate < 10; ++predicate) {
    EXPECT_EQ(qk_protect(compare, &predicate, message, sizeof(message)), 1);
    EXPECT_STREQ(message, expected[predicate]);
  }
  // Longer than what either side keeps: cut. The text is not the callee's: the
  // failure leaves it without running destructors.
  std::string text(5000, 'x');
  auto longer = [](void *text) {
    auto *characters = static_cast<std::string *>(text);
    qk_assert_compare_fail(characters->data(), characters->size(), 1, 0, 2);
  };
  EXPECT_EQ(qk_protect(longer, &text, message, sizeof(message)), 1);
  EXPECT_EQ(std::string(message), std::string(63, 'x'));
}

TEST(AssertDeathTest, ExitsWithoutProtection) {
  EXPECT_EXIT(qk_assert_fail("no one here, really", 11),
              ::testing::ExitedWithCode(1),
              "error: assertion of the model failed: no one here");
}

TEST(Profile, CountsProducts) {
  float a[6] = {1, 2, 3, 4, 5, 6}, c[4];
  qk_profile_start();
  qk_sgemm_batch(1, 2, 2, 3, a, 0, 3, 1, a, 0, 2, 1, c, 0, 2, 0.0f);
  int64_t calls;
  double seconds, work;
  qk_profile_read(QK_PROFILE_CONTRACTION, &calls, &seconds, &work);
  EXPECT_EQ(calls, 1);
  EXPECT_GE(seconds, 0);
  EXPECT_EQ(work, 24);
  qk_profile_start();
  qk_profile_read(QK_PROFILE_CONTRACTION, &calls, &seconds, &work);
  EXPECT_EQ(calls, 0);
}

/// Everything that was observed, as "site: token; token; ".
struct Log {
  std::string text;
  static void observe(void *context, int64_t site, int32_t element,
                      int64_t tokens, int64_t k, const void *x,
                      int64_t rowStride) {
    auto &log = *static_cast<Log *>(context);
    log.text += std::to_string(site) + (element == QK_F32 ? ": " : "h: ");
    for (int64_t t = 0; t < tokens; ++t) {
      for (int64_t i = 0; i < k; ++i) {
        int value;
        if (element == QK_F32)
          value = static_cast<int>(
              static_cast<const float *>(x)[t * rowStride + i]);
        else
          value = static_cast<const uint16_t *>(x)[t * rowStride + i];
        log.text += std::to_string(value) + (i + 1 < k ? "," : "; ");
      }
    }
  }
};

class Observe : public ::testing::Test {
protected:
  Log log;
  std::vector<float> data;
  Observe() {
    for (int i = 0; i < 24; ++i)
      data.push_back(static_cast<float>(i));
    qk_set_observer(Log::observe, &log);
  }
  ~Observe() override { qk_set_observer(nullptr, nullptr); }

  std::string see(std::vector<int64_t> sizes, std::vector<int64_t> strides,
                  int64_t offset = 0) {
    auto address = reinterpret_cast<int64_t>(data.data());
    std::vector<int64_t> descriptor = {address, address, offset};
    descriptor.insert(descriptor.end(), sizes.begin(), sizes.end());
    descriptor.insert(descriptor.end(), strides.begin(), strides.end());
    qk_unranked_memref memref = {static_cast<int64_t>(sizes.size()),
                                 descriptor.data()};
    log.text.clear();
    _mlir_ciface_qk_observe_f32(&memref, 7);
    return log.text;
  }
};

TEST_F(Observe, LeadingDimensionsAreTokens) {
  EXPECT_EQ(see({2}, {1}), "7: 0,1; ");
  EXPECT_EQ(see({1, 2, 2}, {4, 2, 1}), "7: 0,1; 2,3; ");
  EXPECT_EQ(see({2, 2, 2}, {4, 2, 1}, 1), "7: 1,2; 3,4; 5,6; 7,8; ");
  EXPECT_EQ(see({0, 2}, {2, 1}), "");
}

TEST_F(Observe, RowsMayHaveStrides) {
  EXPECT_EQ(see({3, 2}, {8, 1}), "7: 0,1; 8,9; 16,17; ");
  // Leading dimensions that do not merge: one call for each.
  EXPECT_EQ(see({2, 2, 2}, {12, 2, 1}), "7: 0,1; 2,3; 7: 12,13; 14,15; ");
  EXPECT_EQ(see({2, 2, 1, 2}, {12, 4, 99, 1}), "7: 0,1; 7: 4,5; 7: 12,13; "
                                               "7: 16,17; ");
  // A token whose elements are apart is copied.
  EXPECT_EQ(see({2, 3}, {1, 4}), "7: 0,4,8; 1,5,9; ");
}

TEST_F(Observe, OtherElements) {
  uint16_t half[4] = {1, 2, 3, 4};
  auto address = reinterpret_cast<int64_t>(half);
  int64_t descriptor[7] = {address, address, 0, 2, 2, 2, 1};
  qk_unranked_memref memref = {2, descriptor};
  _mlir_ciface_qk_observe_f16(&memref, 3);
  EXPECT_EQ(log.text, "3h: 1,2; 3,4; ");
  // Nobody listens: nothing happens.
  qk_set_observer(nullptr, nullptr);
  _mlir_ciface_qk_observe_bf16(&memref, 3);
  EXPECT_EQ(log.text, "3h: 1,2; 3,4; ");
}

} // namespace
