//===- Measure.cpp - Cases and limits on the GPU -----------------*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Measure.h"

#include <algorithm>

namespace qk::gpurun {

double median(std::vector<double> values) {
  if (values.empty())
    return 0;
  std::sort(values.begin(), values.end());
  size_t half = values.size() / 2;
  return values.size() % 2 ? values[half]
                           : (values[half - 1] + values[half]) / 2;
}

static Json spread(const std::vector<double> &values, double scale) {
  auto [low, high] = std::minmax_element(values.begin(), values.end());
  return Json::object()
      .set("median", median(values) * scale)
      .set("low", *low * scale)
      .set("high", *high * scale);
}

//===----------------------------------------------------------------------===//
// The card
//===----------------------------------------------------------------------===//

Json Measure::describeDevice() {
  return Json::object()
      .set("name", device.driver.gpu)
      .set("capability", device.capability)
      .set("multiprocessors", device.multiprocessors)
      .set("clock_mhz", device.clockKHz * 1e-3)
      .set("l2_bytes", double(device.l2Bytes));
}

Json Measure::copyLimit() {
  constexpr int64_t bytes = int64_t(4) << 30;
  DeviceArray from = device.allocate(bytes), to = device.allocate(bytes);
  // Random bytes: a card may read zeros faster.
  Bytes random(64 << 20);
  uint64_t state = 1;
  for (uint8_t &byte : random)
    byte = uint8_t((state = state * 6364136223846793005 + 1) >> 56);
  DeviceArray seed = device.upload(random.data(), random.size());
  for (int64_t at = 0; at < bytes; at += int64_t(seed.bytes))
    device.copy(from.address + uint64_t(at), seed.address, seed.bytes);
  device.wait();
  // Not as a graph, in which the driver may copy in another way.
  std::vector<double> seconds;
  for (int i = 0; i < options.rounds; ++i) {
    double once =
        device.timeOnce([&] { device.copy(to.address, from.address, bytes); });
    seconds.push_back(2.0 * bytes / once);
  }
  return Json::object()
      .set("limit", "copy")
      .set("bytes_per_second", spread(seconds, 1));
}

/// Reads vectors of 16 bytes, eight under way a thread, and drops them.
static const char *const kReadPtx = R"(.version 7.4
.target sm_80
.address_size 64
.visible .entry qk_read(.param .u64 from, .param .u64 to, .param .u32 count)
.maxntid 256, 1, 1
{
  .reg .pred %p, %q;
  .reg .b32 %i, %n, %last, %step, %width, %at, %sum, %t, %v<32>;
  .reg .b64 %base, %out, %a;
  ld.param.u64 %base, [from];
  ld.param.u64 %out, [to];
  ld.param.u32 %n, [count];
  cvta.to.global.u64 %base, %base;
  cvta.to.global.u64 %out, %out;
  sub.u32 %last, %n, 1;
  mov.u32 %width, %ntid.x;
  shl.b32 %step, %width, 3;
  mov.u32 %i, %ctaid.x;
  mov.u32 %t, %tid.x;
  mad.lo.u32 %i, %i, %step, %t;
  mov.u32 %t, %nctaid.x;
  mul.lo.u32 %step, %step, %t;
  mov.u32 %sum, 0;
LOOP:
  setp.ge.u32 %p, %i, %n;
  @%p bra END;
  mov.u32 %at, %i;
)";

static std::string readPtx() {
  std::string text = kReadPtx;
  auto v = [](int i) { return "%v" + std::to_string(i); };
  for (int i = 0; i < 8; ++i)
    text += "  min.u32 %t, %at, %last;\n"
            "  mul.wide.u32 %a, %t, 16;\n"
            "  add.u64 %a, %a, %base;\n"
            "  ld.global.nc.L1::no_allocate.v4.u32 {" +
            v(4 * i) + ", " + v(4 * i + 1) + ", " + v(4 * i + 2) + ", " +
            v(4 * i + 3) + "}, [%a];\n  add.u32 %at, %at, %width;\n";
  for (int i = 0; i < 32; ++i)
    text += "  xor.b32 %sum, %sum, " + v(i) + ";\n";
  return text + R"(  add.u32 %i, %i, %step;
  bra LOOP;
END:
  setp.eq.u32 %q, %sum, 305419896;
  @%q st.global.u32 [%out], %sum;
  ret;
}
)";
}

int64_t Measure::copiesFor(int64_t bytes) const {
  // What was read last must be out of the cache when its turn comes again.
  int64_t needed = 5 * device.l2Bytes / 2;
  return std::max<int64_t>(2, (needed + bytes - 1) / bytes);
}

/// Seconds of one launch: a graph of many, each with its number's copy.
std::vector<double> Measure::perLaunch(const std::function<void(int)> &enqueue,
                                       int64_t copies, int &launches) {
  double once = 1;
  for (int i = 0; i < 2; ++i)
    once = std::min(once, device.timeOnce([&] { enqueue(i); }));
  // Where one launch takes long, the gap between two of them is nothing.
  constexpr double longTime = 1.5e-3;
  launches = once > longTime ? 5 : options.launches;
  if (once <= longTime)
    launches = int((launches + copies - 1) / copies * copies);
  std::vector<double> seconds = device.timeGraph(
      [&] {
        for (int i = 0; i < launches; ++i)
          enqueue(i);
      },
      options.rounds);
  for (double &value : seconds)
    value /= launches;
  return seconds;
}

std::vector<double> Measure::timeReads(int64_t bytes) {
  if (!readKernel)
    readKernel = device.load(readPtx(), "qk_read");
  int64_t copies = copiesFor(bytes);
  DeviceArray data = device.allocate(size_t(copies * bytes));
  Bytes random(size_t(std::min<int64_t>(copies * bytes, 32 << 20)));
  uint64_t state = 7;
  for (uint8_t &byte : random)
    byte = uint8_t((state = state * 6364136223846793005 + 1) >> 56);
  DeviceArray seed = device.upload(random.data(), random.size());
  for (int64_t at = 0; at < copies * bytes; at += int64_t(seed.bytes))
    device.copy(
        data.address + uint64_t(at), seed.address,
        size_t(std::min<int64_t>(int64_t(seed.bytes), copies * bytes - at)));
  DeviceArray out = device.allocate(4);
  device.wait();
  uint32_t count = uint32_t(bytes / 16);
  auto enqueue = [&](int i) {
    CUdeviceptr from = data.address + uint64_t(i % copies) * uint64_t(bytes);
    Launch launch;
    launch.function = readKernel;
    launch.block[0] = 256;
    launch.grid[0] =
        std::min<int64_t>((count + 2047) / 2048, 8 * device.multiprocessors);
    launch.parameters = {&from, &out.address, &count};
    device.launch(launch);
  };
  int launches = 0;
  return perLaunch(enqueue, copies, launches);
}

Json Measure::readLimit() {
  constexpr int64_t bytes = int64_t(1) << 30;
  std::vector<double> rates = timeReads(bytes);
  for (double &value : rates)
    value = bytes / value;
  return Json::object()
      .set("limit", "read")
      .set("bytes_per_second", spread(rates, 1));
}

//===----------------------------------------------------------------------===//
// A case
//===----------------------------------------------------------------------===//

static std::string weightKey(const Case &of) {
  nvvm::MatmulProblem problem = of.problem;
  problem.bias.reset();
  problem.type = nvvm::ElementType::F16;
  return nvvm::problemName(problem) + " " +
         std::string(nvvm::layoutName(problem.packing)) + " " +
         std::to_string(of.n) + " " + std::to_string(of.seed);
}

Measure::Weights &Measure::weightsOf(const Case &of, const Operands &operands,
                                     int64_t copies) {
  std::string key = weightKey(of);
  if (weights.key != key) {
    weights = Weights();
    std::string error = operands.packWeight(weights.packed);
    if (!error.empty())
      throw Failure("can't pack: " + error);
    weights.copies.push_back(
        device.upload(weights.packed.data(), weights.packed.size()));
    weights.key = key;
  }
  while (int64_t(weights.copies.size()) < copies) {
    weights.copies.push_back(device.allocate(weights.packed.size()));
    device.copy(weights.copies.back().address, weights.copies[0].address,
                weights.packed.size());
  }
  device.wait();
  return weights;
}

Measure::Inputs &Measure::inputsOf(const Case &of, const Operands &operands) {
  std::string key = nvvm::problemName(of.problem) + " " + std::to_string(of.m) +
                    " " + std::to_string(of.n) + " " + std::to_string(of.seed);
  if (inputs.key == key)
    return inputs;
  inputs = Inputs();
  inputs.x = operands.x();
  auto upload = [&](const Bytes &bytes) {
    return device.upload(bytes.data(), bytes.size());
  };
  inputs.onDevice = upload(inputs.x);
  inputs.permutation = upload(operands.permutation());
  inputs.bias = upload(operands.bias());
  inputs.xScales = upload(operands.xScales());
  inputs.key = key;
  return inputs;
}

Json Measure::run(const Case &of) {
  Operands operands(of);
  bool timed = options.time && of.timed;
  int64_t copies = timed ? copiesFor(of.problem.packedBytes(of.n)) : 1;
  Weights &weight = weightsOf(of, operands, copies);
  Inputs &in = inputsOf(of, operands);
  DeviceArray y = device.allocate(size_t(of.m * of.n * of.yElementBytes()));
  DeviceArray workspace = device.allocate(size_t(of.workspaceBytes));
  device.fill(y, 0xff);
  device.fill(workspace, 0);

  std::string image;
  if (!readFile(plan.folder + "/" + of.file, image))
    throw Failure("can't read '" + plan.folder + "/" + of.file + "'");
  Launch launch;
  launch.function = device.load(image, of.kernel.c_str());
  std::copy(std::begin(of.grid), std::end(of.grid), launch.grid);
  std::copy(std::begin(of.block), std::end(of.block), launch.block);
  std::copy(std::begin(of.cluster), std::end(of.cluster), launch.cluster);
  launch.sharedBytes = of.sharedBytes;
  CUdeviceptr weightAddress = 0;
  int32_t m = int32_t(of.m), n = int32_t(of.n);
  for (const std::string &name : of.parameters) {
    void *value = name == "x"             ? &in.onDevice.address
                  : name == "weight"      ? &weightAddress
                  : name == "permutation" ? &in.permutation.address
                  : name == "bias"        ? &in.bias.address
                  : name == "x_scales"    ? &in.xScales.address
                  : name == "y"           ? &y.address
                  : name == "workspace"   ? &workspace.address
                  : name == "m"           ? static_cast<void *>(&m)
                  : name == "n"           ? static_cast<void *>(&n)
                                          : nullptr;
    if (!value)
      throw Failure("a kernel's parameter '" + name +
                    "' is none that this program knows (Measure.cpp)");
    launch.parameters.push_back(value);
  }
  auto enqueue = [&](int i) {
    weightAddress = weight.copies[size_t(i) % weight.copies.size()].address;
    device.launch(launch);
  };

  FunctionFacts facts = device.facts(launch.function);
  Json result =
      Json::object()
          .set("name", of.name)
          .set("variant", of.variant)
          .set("family", of.family)
          .set("kernel", of.kernel)
          .set("registers", facts.registers)
          .set("shared_bytes", double(facts.sharedBytes + of.sharedBytes))
          .set("local_bytes", facts.localBytes)
          .set("weight_bytes", double(weight.packed.size()))
          .set("least_bytes", of.leastBytes())
          .set("operations", of.operations());
  enqueue(0);
  device.wait();
  if (options.check) {
    if (!in.reference)
      in.reference = std::make_unique<Reference>(of, operands, in.x);
    Bytes got(y.bytes);
    device.download(got.data(), y);
    Comparison comparison = in.reference->compare(got);
    result.set("compared", double(comparison.elements))
        .set("relative_error", comparison.relativeError)
        .set("worst", comparison.worst);
    if (!comparison.difference.empty())
      return result.set("error", comparison.difference);
  }
  if (timed) {
    int launches = 0;
    std::vector<double> seconds =
        perLaunch(enqueue, int64_t(weight.copies.size()), launches);
    int64_t bytes = int64_t(weight.packed.size());
    auto [known, isNew] = readSeconds.try_emplace(bytes, 0);
    if (isNew)
      known->second = median(timeReads(bytes));
    result.set("launches", launches)
        .set("copies", double(weight.copies.size()))
        .set("seconds", spread(seconds, 1))
        .set("read_seconds", known->second);
    // Once more: what ran for seconds must still be right, with its workspace
    // as it left it.
    if (options.check) {
      device.fill(y, 0xff);
      enqueue(0);
      device.wait();
      Bytes got(y.bytes);
      device.download(got.data(), y);
      Comparison comparison = in.reference->compare(got);
      if (!comparison.difference.empty())
        result.set("error", "after timing: " + comparison.difference);
    }
  }
  device.unloadAll();
  readKernel = nullptr;
  return result;
}

} // namespace qk::gpurun
