//===- Report.cpp - What was measured, for people ----------------*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Report.h"

#include <algorithm>
#include <cstdio>
#include <map>

namespace qk::gpurun {

void Report::add(const Json &result) {
  if (result["device"].kind == Json::Object) {
    device = result["device"];
    std::printf("%s, %d multiprocessors, L2 %.0f MB\n",
                device["name"].string().c_str(),
                int(device["multiprocessors"].integer()),
                device["l2_bytes"].real() / 1048576);
  } else if (result["limit"].kind == Json::String) {
    limits.push_back(result);
    std::printf("%s: %.3f TB/s (%.3f to %.3f)\n",
                result["limit"].string().c_str(),
                result["bytes_per_second"]["median"].real() * 1e-12,
                result["bytes_per_second"]["low"].real() * 1e-12,
                result["bytes_per_second"]["high"].real() * 1e-12);
  } else {
    results.push_back(result);
    if (!result["error"].string().empty()) {
      ++failed;
      std::printf("FAILED %s%s%s (%s): %s\n", result["name"].string().c_str(),
                  result["variant"].string().empty() ? "" : " ",
                  result["variant"].string().c_str(),
                  result["kernel"].string().c_str(),
                  result["error"].string().c_str());
    } else if (result["seconds"].kind == Json::Object) {
      printRow(result);
    }
  }
  std::fflush(stdout);
}

//===----------------------------------------------------------------------===//
// Limits
//===----------------------------------------------------------------------===//

double Report::bandwidth() const {
  double best = 0;
  for (const Json &limit : limits)
    best = std::max(best, limit["bytes_per_second"]["median"].real());
  return best;
}

/// Operations a second of the products that the case is made of; 0: unknown.
double Report::tensorPeak(const Json &result) const {
  const Case &of = plan.cases[size_t(result["case"].integer())];
  return peers["peaks"][of.problem.scheme.isFloat()  ? "fp8"
                        : of.problem.int8Activations ? "int8"
                                                     : "bf16"]
      .real();
}

/// The time that memory or tensor cores take at least.
double Report::limitSeconds(const Json &result) const {
  double seconds = 0;
  if (double bytes = bandwidth(); bytes > 0)
    seconds = result["least_bytes"].real() / bytes;
  if (double peak = tensorPeak(result); peak > 0)
    seconds = std::max(seconds, result["operations"].real() / peak);
  return seconds;
}

/// What a peer takes for the same shape; 0: it has none.
double Report::peerSeconds(const Case &of, const char *which) const {
  for (const Json &peer : peers["cases"].elements)
    if (peer["m"].integer() == of.m && peer["n"].integer() == of.n &&
        peer["k"].integer() == of.problem.k)
      return peer[which]["median"].real();
  return 0;
}

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

void Report::printRow(const Json &result) {
  if (!headed)
    std::printf("%-34s %-26s %9s %17s %7s %7s %8s %5s %8s %6s %4s %5s  %s\n",
                "case", "kernel", "us", "spread", "TB/s", "TFLOP/s", "limit us",
                "of it", "read us", "x bf16", "regs", "smem", "error");
  headed = true;
  const Case &of = plan.cases[size_t(result["case"].integer())];
  double seconds = result["seconds"]["median"].real();
  double limit = limitSeconds(result);
  double other = peerSeconds(of, "bf16");
  std::string kernel = result["family"].string();
  if (!of.variant.empty())
    kernel += " " + of.variant;
  char ratio[16] = "-";
  if (other > 0)
    std::snprintf(ratio, sizeof(ratio), "%.2f", other / seconds);
  std::printf(
      "%-34s %-26s %9.2f %8.2f-%-8.2f %7.3f %7.1f %8.2f %5.2f %8.2f "
      "%6s %4d %5d  %.1e\n",
      of.name.c_str(), kernel.c_str(), seconds * 1e6,
      result["seconds"]["low"].real() * 1e6,
      result["seconds"]["high"].real() * 1e6,
      result["least_bytes"].real() / seconds * 1e-12,
      result["operations"].real() / seconds * 1e-12, limit * 1e6,
      limit > 0 ? limit / seconds : 0, result["read_seconds"].real() * 1e6,
      ratio, int(result["registers"].integer()),
      int(result["shared_bytes"].integer()), result["relative_error"].real());
}

void Report::printSummary() const {
  struct Family {
    int count = 0, wrong = 0;
    double worst = 0, error = 0;
  };
  std::map<std::string, Family> families;
  for (const Json &result : results) {
    const Case &of = plan.cases[size_t(result["case"].integer())];
    Family &family = families[of.family];
    ++family.count;
    family.wrong += !result["error"].string().empty();
    family.worst = std::max(family.worst, result["worst"].real());
    family.error = std::max(family.error, result["relative_error"].real());
  }
  for (const auto &[name, family] : families)
    std::printf("%s: %d launches checked, %d wrong; largest relative error "
                "%.1e, largest difference %.2f of what is allowed\n",
                name.c_str(), family.count, family.wrong, family.error,
                family.worst);
  const Json &peaks = peers["peaks"];
  for (size_t i = 0; i < peaks.names.size(); ++i)
    std::printf("tensor cores, %s: %.0f T/s (by PyTorch)\n",
                peaks.names[i].c_str(), peaks.elements[i].real() * 1e-12);
  std::printf("%zu cases, %d failed\n", results.size(), failed);
}

Json Report::json() const {
  Json list = Json::array(), limitList = Json::array();
  for (const Json &result : results) {
    Json entry = result;
    const Case &of = plan.cases[size_t(result["case"].integer())];
    entry.set("m", double(of.m)).set("n", double(of.n));
    entry.set("k", double(of.problem.k));
    entry.set("limit_seconds", limitSeconds(result));
    list.elements.push_back(entry);
  }
  limitList.elements = limits;
  return Json::object()
      .set("device", device)
      .set("chip", plan.chip)
      .set("limits", limitList)
      .set("peers", peers)
      .set("cases", list);
}

} // namespace qk::gpurun
