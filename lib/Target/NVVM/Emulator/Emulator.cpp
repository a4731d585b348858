//===- Emulator.cpp - Runs GPU kernels on the CPU ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Target/NVVM/Emulator.h"

#include "BlockRun.h"
#include "Retarget.h"
#include "qk/Numerics/Float8.h"

#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Target/LLVMIR/ModuleTranslation.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"

#include <algorithm>
#include <bit>
#include <cstring>

using namespace llvm;

//===----------------------------------------------------------------------===//
// What emulated kernels call
//===----------------------------------------------------------------------===//

using qk::nvvm::BlockRun;

static int32_t emuSpecial(int32_t which) {
  return BlockRun::current->special(qk::nvvm::Special(which));
}
static void emuBarrier(int32_t id, int32_t site) {
  BlockRun::current->barrier(id, site);
}
static void emuWarpBarrier(int32_t mask, int32_t site) {
  BlockRun::current->warpBarrier(uint32_t(mask), site);
}
static int32_t emuShuffle(int32_t mode, int32_t mask, int32_t value,
                          int32_t lane, int32_t clamp, int32_t site) {
  return int32_t(BlockRun::current->shuffle(qk::nvvm::ShuffleMode(mode),
                                            uint32_t(mask), uint32_t(value),
                                            lane, clamp, site));
}
static void emuAccess(const char *address, int64_t bytes, int64_t alignment,
                      int32_t isStore) {
  BlockRun::current->access(address, bytes, alignment, isStore != 0);
}
static void emuFence() { BlockRun::current->fence(); }
static void emuAtomic(const char *address, int64_t bytes) {
  BlockRun::current->atomic(address, bytes);
}
/// Words of a load that a predicate guards; without it they are not there.
static void emuLoadIf(int32_t condition, const char *address, int64_t bytes,
                      char *to) {
  if (condition)
    BlockRun::current->access(address, bytes, bytes, /*isStore=*/false);
  condition ? std::memcpy(to, address, bytes) : std::memset(to, 0xff, bytes);
}
static void emuMma(int32_t kind, const uint32_t *operands, uint32_t *result,
                   int32_t site) {
  qk::nvvm::MmaOperands all;
  std::copy_n(operands, 4, all.a);
  std::copy_n(operands + 4, 2, all.b);
  std::copy_n(operands + 6, 4, all.c);
  all.d = result;
  BlockRun::current->mma(qk::nvvm::MmaKind(kind), all, site);
}
static void emuLoadMatrices(const char *row, uint32_t *words, int32_t site) {
  BlockRun::current->loadMatrices(row, words, site);
}
static void emuInitMbarrier(const char *barrier, int32_t arrivals) {
  BlockRun::current->initMbarrier(barrier, arrivals);
}
static void emuFenceMbarrierInit() { BlockRun::current->fenceMbarrierInit(); }
static void emuArrive(const char *barrier, int32_t bytes) {
  BlockRun::current->arriveAtMbarrier(barrier, bytes);
}
static void emuArriveAfterCopies(const char *barrier) {
  BlockRun::current->arriveAfterCopies(barrier);
}
static void emuWaitForMbarrier(const char *barrier, int32_t parity) {
  BlockRun::current->waitForMbarrier(barrier, uint32_t(parity));
}
static void emuCopyBulk(char *to, const char *from, int32_t bytes,
                        const char *barrier) {
  BlockRun::current->copyBulk(to, from, bytes, barrier);
}
static void emuFenceProxy() { BlockRun::current->fenceProxy(); }
static void emuNamedBarrier(int32_t number, int32_t count, int32_t site) {
  BlockRun::current->namedBarrier(number, count, site);
}
static void emuSetRegisters(int32_t count) {
  BlockRun::current->setRegisters(count);
}
static void emuClusterBarrier(int32_t site) {
  BlockRun::current->clusterBarrier(site);
}
static int32_t emuMapShared(const char *address, int32_t rank) {
  return int32_t(BlockRun::current->mapShared(address, rank));
}
static void emuStoreToBlock(int32_t name, int32_t a, int32_t b, int32_t c,
                            int32_t d) {
  BlockRun::current->storeToBlock(
      uint32_t(name), {uint32_t(a), uint32_t(b), uint32_t(c), uint32_t(d)});
}
static void emuWgmmaFence() { BlockRun::current->wgmmaFence(); }
static void emuWgmma(int32_t kind, int32_t columns, int32_t zero,
                     const uint32_t *a, int64_t descriptor, uint32_t *sums,
                     int32_t site) {
  qk::nvvm::WgmmaPart part{qk::nvvm::MmaKind(kind), columns, zero != 0, a,
                           uint64_t(descriptor),    sums};
  BlockRun::current->wgmma(part, site);
}
static void emuWgmmaCommit() { BlockRun::current->wgmmaCommit(); }
static void emuWgmmaWait(int32_t pending, uint32_t *sums, int32_t count) {
  BlockRun::current->wgmmaWait(pending, sums, count);
}
static void emuCopyAsync(char *to, const char *from, int32_t bytes,
                         int32_t sourceBytes) {
  BlockRun::current->copyAsync(to, from, bytes, sourceBytes);
}
static void emuCommitCopies() { BlockRun::current->commitCopies(); }
static void emuWaitCopies(int32_t pending) {
  BlockRun::current->waitCopies(pending);
}
/// cvt.rn.satfinite.e4m3x2.f32.
static int16_t convertE4M3(float high, float low) {
  return int16_t(qk::numerics::encodeE4M3(high) << 8 |
                 qk::numerics::encodeE4M3(low));
}

// Conversions that x86 code calls where the CPU has no instruction for them.
static float extendHalf(_Float16 value) { return float(value); }
static _Float16 truncateToHalf(float value) { return _Float16(value); }
/// Returned as the backend's __bf16 is: in the low half of xmm0.
static _Float16 truncateToBFloat(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  uint32_t rounded = bits + 0x7fff + (bits >> 16 & 1);
  if ((bits & 0x7fffffff) > 0x7f800000)
    rounded = bits | 0x400000; // NaN stays one
  return std::bit_cast<_Float16>(uint16_t(rounded >> 16));
}

namespace qk::nvvm {

//===----------------------------------------------------------------------===//
// Emulator
//===----------------------------------------------------------------------===//

struct Emulator::Impl {
  std::unique_ptr<orc::LLJIT> jit;
  RetargetedModule kernels;
  std::vector<SharedBuffer> shared;
};

Emulator::Emulator(std::unique_ptr<Impl> impl) : impl(std::move(impl)) {}
Emulator::~Emulator() = default;

static Error defineRuntime(orc::LLJIT &jit) {
  orc::SymbolMap symbols;
  auto define = [&](StringRef name, auto *function) {
    symbols[jit.mangleAndIntern(name)] = {orc::ExecutorAddr::fromPtr(function),
                                          JITSymbolFlags::Exported |
                                              JITSymbolFlags::Callable};
  };
  define("qk_emu_special", emuSpecial);
  define("qk_emu_barrier", emuBarrier);
  define("qk_emu_warp_barrier", emuWarpBarrier);
  define("qk_emu_shuffle", emuShuffle);
  define("qk_emu_access", emuAccess);
  define("qk_emu_fence", emuFence);
  define("qk_emu_atomic", emuAtomic);
  define("qk_emu_load_if", emuLoadIf);
  define("qk_emu_mma", emuMma);
  define("qk_emu_load_matrices", emuLoadMatrices);
  define("qk_emu_mbarrier_init", emuInitMbarrier);
  define("qk_emu_mbarrier_init_fence", emuFenceMbarrierInit);
  define("qk_emu_mbarrier_arrive", emuArrive);
  define("qk_emu_mbarrier_copies", emuArriveAfterCopies);
  define("qk_emu_mbarrier_wait", emuWaitForMbarrier);
  define("qk_emu_copy_bulk", emuCopyBulk);
  define("qk_emu_proxy_fence", emuFenceProxy);
  define("qk_emu_named_barrier", emuNamedBarrier);
  define("qk_emu_set_registers", emuSetRegisters);
  define("qk_emu_cluster_barrier", emuClusterBarrier);
  define("qk_emu_map_shared", emuMapShared);
  define("qk_emu_store_to_block", emuStoreToBlock);
  define("qk_emu_wgmma_fence", emuWgmmaFence);
  define("qk_emu_wgmma", emuWgmma);
  define("qk_emu_wgmma_commit", emuWgmmaCommit);
  define("qk_emu_wgmma_wait", emuWgmmaWait);
  define("qk_emu_copy_async", emuCopyAsync);
  define("qk_emu_commit_copies", emuCommitCopies);
  define("qk_emu_wait_copies", emuWaitCopies);
  define("qk_emu_convert_e4m3", convertE4M3);
  define("__extendhfsf2", extendHalf);
  define("__truncsfhf2", truncateToHalf);
  define("__truncsfbf2", truncateToBFloat);
  return jit.getMainJITDylib().define(orc::absoluteSymbols(symbols));
}

/// A little optimisation: enough to keep values out of memory.
static void optimize(Module &module, TargetMachine *machine) {
  LoopAnalysisManager loops;
  FunctionAnalysisManager functions;
  CGSCCAnalysisManager components;
  ModuleAnalysisManager modules;
  PassBuilder builder(machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  builder.buildPerModuleDefaultPipeline(OptimizationLevel::O1)
      .run(module, modules);
}

Expected<std::unique_ptr<Emulator>>
Emulator::create(mlir::gpu::GPUModuleOp gpuModule) {
  InitializeNativeTarget();
  InitializeNativeTargetAsmPrinter();
  auto context = std::make_unique<LLVMContext>();
  std::unique_ptr<Module> module =
      mlir::translateModuleToLLVMIR(gpuModule, *context);
  if (!module)
    return createStringError("the kernels do not translate to LLVM IR");

  auto builder = orc::JITTargetMachineBuilder::detectHost();
  if (!builder)
    return builder.takeError();
  // What is summed in which order is the kernel's decision.
  builder->getOptions().AllowFPOpFusion = FPOpFusion::Strict;
  auto machine = builder->createTargetMachine();
  if (!machine)
    return machine.takeError();
  module->setDataLayout((*machine)->createDataLayout());
  module->setTargetTriple((*machine)->getTargetTriple());

  auto impl = std::make_unique<Impl>();
  auto kernels = retarget(*module);
  if (!kernels)
    return kernels.takeError();
  impl->kernels = std::move(*kernels);
  optimize(*module, machine->get());

  auto jit = orc::LLJITBuilder()
                 .setJITTargetMachineBuilder(std::move(*builder))
                 .create();
  if (!jit)
    return jit.takeError();
  impl->jit = std::move(*jit);
  if (Error error = defineRuntime(*impl->jit))
    return std::move(error);
  if (Error error = impl->jit->addIRModule(
          orc::ThreadSafeModule(std::move(module), std::move(context))))
    return std::move(error);
  for (auto &[name, bytes] : impl->kernels.shared) {
    auto address = impl->jit->lookup(name);
    if (!address)
      return address.takeError();
    impl->shared.push_back({address->toPtr<char *>(), bytes});
  }
  return std::unique_ptr<Emulator>(new Emulator(std::move(impl)));
}

Error Emulator::launch(StringRef name, const LaunchShape &shape,
                       ArrayRef<EmulatorArgument> arguments, uint64_t seed) {
  const RetargetedKernel *kernel = nullptr;
  for (const RetargetedKernel &candidate : impl->kernels.kernels)
    if (candidate.name == name)
      kernel = &candidate;
  if (!kernel)
    return createStringError("no kernel '%s' in the module",
                             name.str().c_str());
  if (kernel->arguments != arguments.size())
    return createStringError("kernel '%s' takes %u arguments, got %zu",
                             name.str().c_str(), kernel->arguments,
                             arguments.size());
  auto entry = impl->jit->lookup(kernel->entry);
  if (!entry)
    return entry.takeError();
  auto *function = entry->toPtr<void (*)(const void **)>();

  std::vector<GlobalBuffer> buffers;
  std::vector<const void *> values;
  for (const EmulatorArgument &argument : arguments) {
    if (argument.data)
      buffers.push_back({static_cast<char *>(argument.data), argument.bytes,
                         argument.writable});
    values.push_back(argument.data ? static_cast<const void *>(&argument.data)
                                   : &argument.value);
  }
  std::vector<SharedBuffer> shared = impl->shared;
  for (SharedBuffer &buffer : shared)
    if (buffer.bytes == kDynamicSharedLimit)
      buffer.bytes = shape.sharedBytes;
  if (shape.sharedBytes > int64_t(kDynamicSharedLimit))
    return createStringError("kernel '%s': at most %llu bytes of dynamic "
                             "shared memory are emulated, got %lld",
                             name.str().c_str(),
                             (unsigned long long)kDynamicSharedLimit,
                             (long long)shape.sharedBytes);
  constexpr int64_t maxCluster = 8;
  if (shape.cluster != 1 &&
      (shape.cluster != shape.grid[2] || shape.cluster > maxCluster))
    return createStringError("kernel '%s': a cluster has 1 block, or all %lld "
                             "along z of at most %lld, got %lld",
                             name.str().c_str(), (long long)shape.grid[2],
                             (long long)maxCluster, (long long)shape.cluster);
  LaunchRun run(shape, std::move(buffers), std::move(shared), seed,
                kernel->byClock);
  std::string error = run.run([&] { function(values.data()); });
  if (!error.empty())
    return createStringError("%s: %s", name.str().c_str(), error.c_str());
  return Error::success();
}

} // namespace qk::nvvm
