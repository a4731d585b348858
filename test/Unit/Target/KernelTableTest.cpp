//===- KernelTableTest.cpp - The choice of CPU kernels --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Target/CPU/KernelTable.h"

#include <gtest/gtest.h>

#include <set>

using namespace qk;
using namespace qk::cpu;
using namespace qk::numerics;

namespace {

constexpr Level kLevels[] = {Level::Portable,    Level::AVX2,
                             Level::AVXVNNI,     Level::AVX512VNNI,
                             Level::NEONDotProd, Level::NEONI8MM};

template <typename Body> void forEachSpec(Body body) {
  for (CodeType code :
       {CodeType::U2, CodeType::U3, CodeType::U4, CodeType::U8, CodeType::S8})
    for (ScaleType scale : {ScaleType::F16, ScaleType::BF16, ScaleType::F32})
      for (Activation activation :
           {Activation::Float, Activation::Int16, Activation::Int8})
        for (bool zeros : {false, true})
          for (bool bias : {false, true}) {
            KernelSpec spec;
            spec.scheme = {code, 32, scale};
            spec.k = 172;
            spec.activation = activation;
            spec.zeroPoints = zeros;
            spec.bias = bias;
            body(spec);
          }
}

// What the builders rely on, for every spec and level.
TEST(KernelTable, ChoicesFitTheLayoutAndTheArithmetic) {
  forEachSpec([](const KernelSpec &spec) {
    for (Level level : kLevels) {
      KernelChoice choice = chooseKernel(spec, level);
      SCOPED_TRACE(spec.symbol() + " " + std::string(name(level)));
      ASSERT_FALSE(choice.tiles.empty());
      EXPECT_FALSE(choice.reason.empty());
      EXPECT_EQ(choice.tiles.back().rows, 1);
      for (size_t i = 0; i < choice.tiles.size(); ++i) {
        EXPECT_EQ(kTileChannels % (choice.tiles[i].vectors * choice.lanes), 0);
        if (i) {
          EXPECT_LT(choice.tiles[i].rows, choice.tiles[i - 1].rows);
        }
        // Blocks are of two rows, and words pair up over two units at most.
        if (choice.blocks) {
          EXPECT_TRUE(choice.tiles[i].rows == 1 ||
                      choice.tiles[i].rows % 2 == 0);
          EXPECT_LE(choice.tiles[i].unroll, 2);
        }
      }
      if (choice.blocks) {
        EXPECT_EQ(choice.lanes, 4);
        EXPECT_EQ(choice.codeShift, 0);
      }
      // A signed byte holds the code.
      if (choice.signedCodes) {
        EXPECT_LT((1 << spec.scheme.bits()) - 1 - choice.codeShift, 128);
      }
      EXPECT_EQ(choice.segment % spec.layout().unitK(), 0);
      if (spec.activation != Activation::Float) {
        EXPECT_LT(choice.segment * 255 *
                      int64_t(activationMax(spec.activation)),
                  int64_t(1) << 31);
      }
    }
  });
}

TEST(KernelTable, SymbolsAreDistinct) {
  std::set<std::string> symbols;
  int count = 0;
  forEachSpec([&](const KernelSpec &spec) {
    symbols.insert(spec.symbol());
    ++count;
  });
  EXPECT_EQ(symbols.size(), static_cast<size_t>(count));
  KernelSpec spec;
  spec.k = 64;
  spec.activation = Activation::Int8;
  std::set<std::string> sharings;
  for (Sharing sharing :
       {Sharing::TokenGroup, Sharing::Token, Sharing::Tensor}) {
    spec.sharing = sharing;
    sharings.insert(spec.symbol());
  }
  EXPECT_EQ(sharings.size(), 3u);
}

TEST(KernelTable, SymbolIsReadable) {
  KernelSpec spec;
  spec.scheme = {CodeType::U4, 128, ScaleType::F16};
  spec.k = 4096;
  spec.activation = Activation::Int16;
  spec.zeroPoints = true;
  spec.bias = true;
  EXPECT_EQ(spec.symbol(), "qk_matmul_u4_g128_f16_z_k4096_int16_f32_bias");
}

TEST(KernelTable, NamesParseBack) {
  for (Level level : kLevels)
    EXPECT_EQ(parseLevel(name(level)), level);
  EXPECT_EQ(parseLevel("avx512"), std::nullopt);
  for (Activation activation :
       {Activation::Float, Activation::Int16, Activation::Int8})
    EXPECT_EQ(parseActivation(name(activation)), activation);
  EXPECT_EQ(parseActivation("a16"), std::nullopt);
}

TEST(KernelTable, LevelsOfAnArchitectureAreItsOwnAndEndPortable) {
  for (Architecture of :
       {Architecture::Other, Architecture::X86_64, Architecture::AArch64}) {
    auto levels = levelsOf(of);
    ASSERT_FALSE(levels.empty());
    EXPECT_EQ(levels.back(), Level::Portable);
    levels.pop_back();
    for (size_t i = 0; i < levels.size(); ++i) {
      EXPECT_EQ(architecture(levels[i]), of);
      if (i) {
        EXPECT_LT(levels[i], levels[i - 1]);
      }
    }
  }
  EXPECT_EQ(levelNames(), "avx512-vnni, avx-vnni, avx2, neon-i8mm, "
                          "neon-dotprod or portable");
}

TEST(KernelTable, OneRowReadsWholeLinesInOrder) {
  // The speed of M=1 rests on it: 256 bytes a unit, at most two units a step.
  KernelSpec spec;
  spec.scheme = {CodeType::U4, 128, ScaleType::F16};
  spec.k = 4096;
  spec.activation = Activation::Int16;
  KernelChoice choice = chooseKernel(spec, Level::AVX512VNNI);
  EXPECT_EQ(choice.lanes * choice.tiles.back().vectors, kTileChannels);
  EXPECT_LE(choice.tiles.back().unroll, 2);
  EXPECT_GT(choice.prefetchBytes, 0);
  EXPECT_TRUE(choice.highNibbleInPlace);
}

} // namespace
