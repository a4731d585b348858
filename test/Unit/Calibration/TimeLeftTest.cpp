//===- TimeLeftTest.cpp - When a long run will be done ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Dialect/QuantLLM/Transforms/TimeLeft.h"

#include <gtest/gtest.h>

using qk::quant_llm::describeTimeLeft;

TEST(TimeLeft, SaysNothingWithoutAMeasure) {
  EXPECT_EQ(describeTimeLeft(10, 0), "");
  EXPECT_EQ(describeTimeLeft(10, 1), "");
}

TEST(TimeLeft, RoundsToMinutesAndHours) {
  EXPECT_EQ(describeTimeLeft(10, 0.5), ", less than a minute left");
  EXPECT_EQ(describeTimeLeft(10, 0.1), ", about 2 min left");
  EXPECT_EQ(describeTimeLeft(60, 0.01), ", about 99 min left");
  EXPECT_EQ(describeTimeLeft(600, 0.01), ", about 17 h left");
}
