//===- KernelSuite.cpp - The kernels' goals, measured ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A table of cases, each with the limit that it is compared with and a goal for
// the ratio. Ratios are taken round by round, so that a machine whose clock or
// memory drifts moves both sides.
//
//===----------------------------------------------------------------------===//

#include "KernelSuite.h"

#include "Measure.h"

#include "qk/Runtime/CPULevel.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/WithColor.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <omp.h>

using namespace qk;
using namespace qk::cpu;
using namespace qk::numerics;
namespace cl = llvm::cl;

namespace {

struct Options {
  cl::opt<std::string> only{"only", cl::desc("Cases whose name contains this")};
  cl::opt<std::string> json{"json", cl::desc("Write all figures to this file")};
  cl::opt<int> rounds{"rounds", cl::desc("Rounds of measuring"), cl::init(15)};
  cl::opt<int64_t> cold{"cold",
                        cl::desc("Megabytes of weights to rotate over, so that "
                                 "they come from memory"),
                        cl::init(400)};
  cl::opt<bool> list{"list", cl::desc("Print the cases, and stop")};
};

/// What a case is compared with.
enum class Limit {
  Memory,   ///< Reading the weights' bytes from memory.
  Cache,    ///< The same from the last-level cache.
  Dots,     ///< Peak of the byte dot.
  HalfDots, ///< Half of it: int16 is two products of bytes.
};

const char *describe(Limit limit) {
  switch (limit) {
  case Limit::Memory:
    return "read from memory";
  case Limit::Cache:
    return "read from cache";
  case Limit::Dots:
    return "byte dot peak";
  case Limit::HalfDots:
    return "half the byte dot peak";
  }
  return "";
}

struct Case {
  std::string name;
  KernelSpec spec;
  Level level;
  int64_t m, n;
  Limit limit;
  double goal;
};

struct Row {
  std::string name, against;
  double value, limit, ratio, low, high, goal, error;
};

KernelSpec makeSpec(CodeType codes, int64_t group, Activation activation,
                    int64_t k) {
  KernelSpec spec;
  spec.scheme = {codes, group, ScaleType::F16};
  spec.k = k;
  spec.activation = activation;
  if (spec.scheme.groupLength(k) == k)
    spec.sharing = Sharing::Token;
  return spec;
}

std::string describe(const KernelSpec &spec) {
  std::string group = spec.scheme.groupLength(spec.k) == spec.k
                          ? "row"
                          : "g" + std::to_string(spec.scheme.groupSize);
  return "W" + std::to_string(spec.scheme.bits()) + " " + group + " " +
         std::string(name(spec.activation));
}

std::vector<Case> makeCases() {
  std::vector<Case> cases;
  const auto best = static_cast<Level>(qk_cpu_level());
  auto add = [&](KernelSpec spec, Level level, int64_t m, int64_t n,
                 Limit limit, double goal) {
    std::string title = describe(spec) + " m=" + std::to_string(m) + " " +
                        std::to_string(n) + "x" + std::to_string(spec.k) +
                        (limit == Limit::Memory  ? " memory"
                         : limit == Limit::Cache ? " cache"
                                                 : "");
    if (level != best)
      title += " " + std::string(name(level));
    cases.push_back({title, spec, level, m, n, limit, goal});
  };
  using enum CodeType;
  using enum Activation;
  for (int64_t n : {4096, 11008}) {
    const int64_t k = 4096;
    auto w4 = [&](int64_t group, Activation activation) {
      return makeSpec(U4, group, activation, k);
    };
    add(w4(128, Int16), best, 1, n, Limit::Memory, .95);
    add(w4(128, Int16), best, 1, n, Limit::Cache, .95);
    add(w4(128, Int8), best, 1, n, Limit::Memory, .95);
    add(w4(128, Int8), best, 1, n, Limit::Cache, .95);
    add(makeSpec(U3, 128, Int16, k), best, 1, n, Limit::Memory, .90);
    add(w4(128, Int8), best, 512, n, Limit::Dots, .90);
    add(w4(128, Int8), best, 32, n, Limit::Dots, .80);
    add(w4(128, Int8), best, 8, n, Limit::Dots, .80);
    add(w4(32, Int8), best, 512, n, Limit::Dots, .72);
    add(w4(64, Int8), best, 512, n, Limit::Dots, .80);
    add(w4(128, Int16), best, 512, n, Limit::HalfDots, .93);
    add(makeSpec(S8, -1, Int8, k), best, 512, n, Limit::Dots, .95);
    // VEX-encoded VNNI is not implied by AVX-512's.
    for (Level level : {Level::AVXVNNI, Level::AVX2})
      if (level != best &&
          qk_best_cpu_level(1 << static_cast<int32_t>(level)) >= 0)
        add(w4(128, Int8), level, 512, n, Limit::Dots, .85);
  }
  return cases;
}

struct OddShape {
  int64_t m, n, k;
};

/// Every size of the list at least thrice.
constexpr OddShape oddShapes[] = {
    {1, 49, 100},     {1, 576, 172},    {1, 1537, 576},    {1, 576, 1536},
    {1, 1537, 11008}, {1, 49, 11008},   {3, 49, 172},      {3, 576, 576},
    {3, 1537, 1536},  {3, 576, 11008},  {3, 1537, 100},    {3, 49, 1536},
    {7, 576, 100},    {7, 1537, 172},   {7, 49, 576},      {7, 576, 1536},
    {7, 1537, 11008}, {7, 576, 576},    {17, 49, 100},     {17, 576, 172},
    {17, 1537, 576},  {17, 576, 1536},  {17, 1537, 11008}, {17, 49, 1536},
    {100, 576, 100},  {100, 1537, 172}, {100, 576, 576},   {100, 1537, 1536},
    {100, 49, 11008}, {100, 576, 11008}};

/// The nearest shape of whole packed tiles and groups, and four rows.
OddShape evenShape(const OddShape &odd) {
  auto nearest = [](int64_t value, int64_t step) {
    return std::max(step, (value + step / 2) / step * step);
  };
  return {odd.m == 1 ? 1 : nearest(odd.m, 4), nearest(odd.n, 64),
          nearest(odd.k, 128)};
}

class Suite {
public:
  explicit Suite(const Options &options) : options(options) {}

  int run() {
    omp_set_num_threads(1);
    for (const Case &each : makeCases())
      if (wanted(each.name))
        measureCase(each);
    for (const OddShape &odd : oddShapes)
      measureOdd(odd);
    if (options.list || rows.empty()) {
      if (!options.list)
        fail("no case's name contains '" + options.only + "'; see --list");
      return 0;
    }
    const auto missed = std::count_if(rows.begin(), rows.end(), [](auto &row) {
      return row.ratio < row.goal;
    });
    llvm::outs() << rows.size() << " cases, " << missed
                 << " below their goal\n";
    if (!options.json.empty())
      writeJSON();
    return 0;
  }

private:
  [[noreturn]] static void fail(const llvm::Twine &message) {
    llvm::WithColor::error(llvm::errs(), "qk-bench") << message << "\n";
    std::exit(1);
  }

  bool wanted(llvm::StringRef name) const {
    if (!name.contains(options.only.getValue()))
      return false;
    if (options.list)
      llvm::outs() << name << "\n";
    return !options.list;
  }

  bench::Measurement measure(const KernelSpec &spec, Level level, int64_t m,
                             int64_t n, bool cold) {
    bench::MeasureOptions how;
    how.spec = spec;
    how.level = level;
    how.m = m;
    how.n = n;
    how.rounds = options.rounds;
    how.cold = cold;
    how.coldMegabytes = options.cold;
    auto measured = bench::measure(how);
    if (!measured)
      fail(llvm::toString(measured.takeError()));
    sink ^= measured->sink;
    return std::move(*measured);
  }

  void measureCase(const Case &each) {
    const bool cold = each.limit == Limit::Memory;
    bench::Measurement m = measure(each.spec, each.level, each.m, each.n, cold);
    const bool reads = cold || each.limit == Limit::Cache;
    std::vector<double> values, limits;
    for (size_t i = 0; i < m.warm.size(); ++i) {
      double work = reads ? double(m.bytes) : m.operations;
      values.push_back(work / (cold ? m.cold : m.warm)[i]);
      limits.push_back(cold                            ? m.coldRead[i]
                       : reads                         ? m.warmRead[i]
                       : each.limit == Limit::HalfDots ? m.peak[i] / 2
                                                       : m.peak[i]);
    }
    add(each.name, describe(each.limit), values, limits, each.goal, m.error);
  }

  void measureOdd(const OddShape &odd) {
    const OddShape even = evenShape(odd);
    auto text = [](const OddShape &shape) {
      return "m=" + std::to_string(shape.m) + " " + std::to_string(shape.n) +
             "x" + std::to_string(shape.k);
    };
    std::string title = "W4 g128 int8 odd " + text(odd);
    if (!wanted(title))
      return;
    const auto level = static_cast<Level>(qk_cpu_level());
    auto rates = [&](const OddShape &shape, double &error) {
      bench::Measurement m =
          measure(makeSpec(CodeType::U4, 128, Activation::Int8, shape.k), level,
                  shape.m, shape.n, false);
      std::vector<double> result;
      for (double seconds : m.warm)
        result.push_back(m.operations / seconds);
      error = m.error;
      return result;
    };
    double error, other;
    std::vector<double> values = rates(odd, error), limits = rates(even, other);
    add(title, text(even), values, limits, .8, error);
  }

  void add(const std::string &name, const std::string &against,
           const std::vector<double> &values, const std::vector<double> &limits,
           double goal, double error) {
    std::vector<double> ratios;
    for (size_t i = 0; i < values.size(); ++i)
      ratios.push_back(values[i] / limits[i]);
    auto [low, high] = std::minmax_element(ratios.begin(), ratios.end());
    Row row{name,
            against,
            bench::median(values),
            bench::median(limits),
            bench::median(ratios),
            *low,
            *high,
            goal,
            error};
    if (rows.empty())
      llvm::outs() << llvm::format("%-40s %8s %8s  %-22s %5s %13s %5s\n",
                                   "case", "got", "limit", "of", "ratio",
                                   "spread", "goal");
    llvm::outs() << llvm::format(
        "%-40s %8.1f %8.1f  %-22s %5.2f %6.2f-%-6.2f %5.2f%s\n", name.c_str(),
        row.value * 1e-9, row.limit * 1e-9, against.c_str(), row.ratio, row.low,
        row.high, goal, row.ratio < goal ? "  below" : "");
    llvm::outs().flush();
    rows.push_back(row);
  }

  void writeJSON() {
    if (llvm::Error error =
            llvm::writeToOutput(options.json, [&](llvm::raw_ostream &out) {
              llvm::json::OStream json(out, 2);
              json.object([&] {
                json.attribute(
                    "level",
                    std::string(name(static_cast<Level>(qk_cpu_level()))));
                json.attribute("threads", 1);
                json.attributeArray("cases", [&] {
                  for (const Row &row : rows)
                    json.object([&] {
                      json.attribute("name", row.name);
                      json.attribute("per_second", row.value);
                      json.attribute("limit", row.against);
                      json.attribute("limit_per_second", row.limit);
                      json.attribute("ratio", row.ratio);
                      json.attribute("ratio_low", row.low);
                      json.attribute("ratio_high", row.high);
                      json.attribute("goal", row.goal);
                      json.attribute("relative_error", row.error);
                    });
                });
              });
              out << "\n";
              return llvm::Error::success();
            }))
      fail("cannot write '" + options.json +
           "': " + llvm::toString(std::move(error)));
  }

  const Options &options;
  std::vector<Row> rows;
  uint64_t sink = 0;
};

} // namespace

int benchSuite(int argc, char **argv) {
  cl::ResetCommandLineParser();
  Options options;
  cl::ParseCommandLineOptions(
      argc, argv, "qk: all kernels against the machine's limits, one thread\n");
  if (options.rounds < 1 || options.cold < 1) {
    llvm::WithColor::error(llvm::errs(), "qk-bench")
        << "expected rounds and cold of at least 1\n";
    return 1;
  }
  return Suite(options).run();
}
