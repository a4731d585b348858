//===- qk-gpu-run.cpp - Checks and times kernels on a GPU --------*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The half of `qk-bench --gpu` that needs the card and no compiler: it runs
/// what `qk-bench --gpu --emit=FOLDER` wrote. No LLVM; where CMake is not, too:
///
///   g++ -std=c++20 -O2 -pthread -Iinclude tools/qk-gpu-run/*.cpp
///     lib/Target/NVVM/{KernelTable,Layout,Mma*Table,Mma*Layout}.cpp
///     lib/Runtime/CudaDriver.cpp -ldl -o qk-gpu-run
///
//===----------------------------------------------------------------------===//

#include "Device.h"
#include "Report.h"
#include "Worker.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

using namespace qk::gpurun;

static constexpr const char *kHelp =
    R"(usage: qk-gpu-run FOLDER [options]

Runs the kernels that qk-bench --gpu --emit=FOLDER wrote: checks each against
f64, then times it by CUDA graphs, weights rotated past the cache.

  --only=TEXT     cases whose name or variant contains this
  --no-time       check only
  --no-check      time only
  --rounds=20     replays of a graph; the median is given
  --launches=20   launches in a graph (five where one takes over 1.5 ms)
  --peers=FILE    what utils/gpu-peers wrote, to stand beside ours
  --json=FILE     write all figures
  --svg=FILE      draw a roofline
  --patience=60   seconds after which a case is given up
  --capability    print this machine's GPU's compute capability times ten, and
                  stop

Exit status: 0, 1 if a case failed, 2 if nothing could be run.
)";

[[noreturn]] static void fail(const std::string &message) {
  std::fprintf(stderr, "qk-gpu-run: error: %s\n", message.c_str());
  std::exit(2);
}

static void write(const std::string &path, const std::string &text) {
  std::ofstream stream(path, std::ios::binary);
  stream << text;
  stream.close();
  if (!stream)
    fail("can't write '" + path + "'");
}

static int printCapability() {
  try {
    std::printf("%d\n", Device().capability);
    return 0;
  } catch (const Failure &failure) {
    fail(failure.text);
  }
}

int main(int argc, char **argv) {
  std::string folder, only, peers, json, svg;
  RunOptions options;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    auto value = [&](const char *name, std::string &to) {
      std::string prefix = std::string(name) + "=";
      if (argument.rfind(prefix, 0) != 0)
        return false;
      to = argument.substr(prefix.size());
      return true;
    };
    auto number = [&](const char *name, int &to) {
      std::string text;
      if (!value(name, text))
        return false;
      to = std::atoi(text.c_str());
      if (to < 1)
        fail(std::string("expected ") + name + " of at least 1, got '" + text +
             "'");
      return true;
    };
    if (argument == "--help") {
      std::fputs(kHelp, stdout);
      return 0;
    }
    if (argument == "--capability")
      return printCapability();
    if (argument == "--no-time")
      options.time = false;
    else if (argument == "--no-check")
      options.check = false;
    else if (value("--only", only) || value("--peers", peers) ||
             value("--json", json) || value("--svg", svg) ||
             number("--rounds", options.rounds) ||
             number("--launches", options.launches) ||
             number("--patience", options.patience))
      continue;
    else if (argument.rfind("--", 0) == 0 || !folder.empty())
      fail("unknown argument '" + argument + "'; see --help");
    else
      folder = argument;
  }
  if (folder.empty())
    fail("expected a folder; see --help");

  Plan plan;
  if (std::string error = readPlan(folder, plan); !error.empty())
    fail(error);
  std::vector<size_t> cases;
  for (size_t i = 0; i < plan.cases.size(); ++i)
    if (plan.cases[i].name.find(only) != std::string::npos ||
        plan.cases[i].variant.find(only) != std::string::npos)
      cases.push_back(i);
  if (cases.empty())
    fail("no case's name contains '" + only + "'");
  Report report(plan);
  if (!peers.empty()) {
    std::string text, error;
    if (!readFile(peers, text))
      fail("can't read '" + peers + "'");
    Json read = parseJson(text, error);
    if (!error.empty())
      fail("'" + peers + "' is not JSON: " + error);
    report.addPeers(read);
  }
  std::string error = runCases(plan, cases, options,
                               [&](const Json &line) { report.add(line); });
  if (!error.empty())
    fail(error);
  report.printSummary();
  if (!json.empty())
    write(json, report.json().print() + "\n");
  if (!svg.empty())
    write(svg, report.roofline());
  return report.failures() ? 1 : 0;
}
