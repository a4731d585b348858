//===- Plan.cpp - Kernels to run and what to run them on ---------*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Plan.h"

#include <fstream>
#include <sstream>

namespace qk::gpurun {

using namespace nvvm;
using numerics::CodeType;
using numerics::ScaleType;

bool readFile(const std::string &path, std::string &bytes) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream all;
  all << stream.rdbuf();
  bytes = all.str();
  return bool(stream) && !bytes.empty();
}

/// The value of `names` that `text` names; an index, or -1.
static int find(const std::string &text,
                std::initializer_list<const char *> names) {
  int index = 0;
  for (const char *name : names) {
    if (text == name)
      return index;
    ++index;
  }
  return -1;
}

static std::string readProblem(const Json &json, MatmulProblem &problem) {
  int codes =
      find(json["codes"].string(), {"u2", "u3", "u4", "u8", "s8", "e4m3"});
  int scale = find(json["scale"].string(), {"f16", "bf16", "f32"});
  int type = find(json["type"].string(), {"f16", "bf16", "f32"});
  std::string bias = json["bias"].string();
  int biasType = find(bias, {"f16", "bf16", "f32"});
  std::optional<Layout> layout = layoutByName(json["layout"].string());
  if (codes < 0 || scale < 0 || type < 0 || (!bias.empty() && biasType < 0))
    return "expected types that qk has, got codes '" + json["codes"].string() +
           "', scale '" + json["scale"].string() + "', type '" +
           json["type"].string() + "', bias '" + bias + "'";
  if (!layout)
    return "unknown layout '" + json["layout"].string() + "'";
  problem.scheme = {CodeType(codes), json["group"].integer(), ScaleType(scale)};
  problem.k = json["k"].integer();
  if (problem.k < 1 || problem.scheme.groupSize == 0)
    return "expected k and group of at least 1";
  problem.hasZeroPoints = json["zero_points"].isTrue();
  problem.hasPermutation = json["permutation"].isTrue();
  if (!bias.empty())
    problem.bias = ElementType(biasType);
  problem.type = ElementType(type);
  problem.int8Activations = json["int8_activations"].isTrue();
  problem.hasTensorScale = json["tensor_scale"].isTrue();
  problem.packing = *layout;
  return "";
}

static std::string readCase(const Json &json, Case &result) {
  result.name = json["name"].string();
  result.variant = json["variant"].string();
  result.timed = json["timed"].isTrue();
  result.file = json["file"].string();
  result.kernel = json["kernel"].string();
  result.family = json["family"].string();
  for (const Json &parameter : json["parameters"].elements)
    result.parameters.push_back(parameter.string());
  result.m = json["m"].integer();
  result.n = json["n"].integer();
  result.sharedBytes = json["dynamic_shared_bytes"].integer();
  result.workspaceBytes = json["workspace_bytes"].integer();
  result.seed = uint64_t(json["seed"].integer(1));
  for (int i = 0; i < 3; ++i) {
    auto at = [&](const char *name) {
      const std::vector<Json> &list = json[name].elements;
      return size_t(i) < list.size() ? list[i].integer() : 1;
    };
    result.grid[i] = at("grid");
    result.block[i] = at("block");
    result.cluster[i] = at("cluster");
    if (result.grid[i] < 1 || result.block[i] < 1 || result.cluster[i] < 1)
      return "expected a grid, block and cluster of at least 1";
  }
  if (result.m < 1 || result.n < 1)
    return "expected m and n of at least 1";
  if (result.file.empty() || result.file.find('/') != std::string::npos)
    return "expected a file of the folder, got '" + result.file + "'";
  return readProblem(json["problem"], result.problem);
}

std::string readPlan(const std::string &folder, Plan &plan) {
  std::string path = folder + "/cases.json", text, error;
  if (!readFile(path, text))
    return "can't read '" + path +
           "'; write it with qk-bench --gpu --emit=" + folder;
  Json json = parseJson(text, error);
  if (!error.empty())
    return "'" + path + "' is not JSON: " + error;
  if (json["version"].integer() != 1)
    return "'" + path + "': expected version 1, got " + json["version"].print();
  plan.folder = folder;
  plan.chip = json["chip"].string();
  for (const Json &entry : json["cases"].elements) {
    Case next;
    error = readCase(entry, next);
    if (!error.empty())
      return "'" + path + "', case '" + next.name + "': " + error;
    plan.cases.push_back(std::move(next));
  }
  return "";
}

} // namespace qk::gpurun
