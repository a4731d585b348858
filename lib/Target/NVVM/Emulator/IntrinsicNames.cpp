//===- IntrinsicNames.cpp - What names of intrinsics say --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "IntrinsicNames.h"

#include "llvm/ADT/StringMap.h"

using namespace llvm;

namespace qk::nvvm {

std::optional<Special> specialRegister(StringRef name) {
  static const StringMap<Special> registers = {
      {"tid.x", Special::TidX},       {"tid.y", Special::TidY},
      {"tid.z", Special::TidZ},       {"ntid.x", Special::NTidX},
      {"ntid.y", Special::NTidY},     {"ntid.z", Special::NTidZ},
      {"ctaid.x", Special::CTAIdX},   {"ctaid.y", Special::CTAIdY},
      {"ctaid.z", Special::CTAIdZ},   {"nctaid.x", Special::NCTAIdX},
      {"nctaid.y", Special::NCTAIdY}, {"nctaid.z", Special::NCTAIdZ},
      {"laneid", Special::LaneId},    {"warpsize", Special::WarpSize},
  };
  auto found = registers.find(name);
  if (found == registers.end())
    return std::nullopt;
  return found->second;
}

std::optional<ShuffleMode> shuffleMode(StringRef name) {
  auto [mode, type] = name.split('.');
  if (type != "i32" && type != "f32")
    return std::nullopt;
  static const StringMap<ShuffleMode> modes = {{"idx", ShuffleMode::Idx},
                                               {"bfly", ShuffleMode::Bfly},
                                               {"up", ShuffleMode::Up},
                                               {"down", ShuffleMode::Down}};
  auto found = modes.find(mode);
  if (found == modes.end())
    return std::nullopt;
  return found->second;
}

std::optional<MmaKind> mmaKind(StringRef name) {
  static const StringMap<MmaKind> kinds = {
      {"m16n8k16.row.col.f32.f32", MmaKind::F16},
      {"m16n8k16.row.col.bf16", MmaKind::BF16},
      {"m16n8k32.row.col.s8", MmaKind::S8}};
  auto found = kinds.find(name);
  if (found == kinds.end())
    return std::nullopt;
  return found->second;
}

} // namespace qk::nvvm
