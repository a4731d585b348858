# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Features:
#   qk-shared     QK_SHARED names a folder with the full test data
#   ptxas         NVIDIA's assembler is installed
#   aarch64       a cross compiler and an emulator for AArch64 are installed
#   long          the release suite: minutes that neither a sanitizer nor modules
#                 read again could add to
#   fuzzers       libFuzzer targets (sanitized builds)
#   plugins       tests that load a plugin into a stock tool (not sanitized)
#   tokenizers    QK_PYTHON (default: the Python that runs lit) has the package
#   torch         ... and PyTorch, transformers and torch-mlir: qk[export]
#   iree, onnxruntime   QK_CLIENTS (default: what utils/check-clients installs)
#                 is a Python with these clients
import os
import shutil
import subprocess
import sys

import lit.formats

sys.path.insert(0, os.path.dirname(__file__))
import round_trip

config.name = "qk"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Unit", "lib", "data", "Inputs"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = config.qk_test_exec_root

tools = config.qk_build_dir + "/bin"
path = [tools, config.llvm_tools_dir, os.environ["PATH"]]
config.environment["PATH"] = os.pathsep.join(path)
# Same bytes for any number of threads is tested by setting it in a test.
for name in ("QK_SHARED", "OMP_NUM_THREADS", "CUDA_HOME", "OPENBLAS_CORETYPE",
             "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS"):
    if name in os.environ:
        config.environment[name] = os.environ[name]
config.environment.setdefault(
    "LSAN_OPTIONS", "suppressions=%s:print_suppressions=0" % (config.qk_source_dir + "/test/lsan.supp"))

opt = "qk-opt"
if lit_config.params.get("verify_roundtrip"):
    # The suite once more, every module printed and read again.
    opt += " --verify-roundtrip"
    config.test_format = round_trip.RoundTripTest(execute_external=False)
config.substitutions.append(("%qk-opt-plain", tools + "/qk-opt"))
config.substitutions.append((round_trip.OPT_IN_COMMANDS, opt))
# The stock tool with qk as a plugin.
config.substitutions.append(("%plugin-opt", "mlir-opt --load-dialect-plugin={0} --load-pass-plugin={0}".format(
    config.qk_build_dir + "/lib/qk.so")))
config.substitutions.append(("%python", sys.executable))
config.substitutions.append(("%examples", config.qk_source_dir + "/examples"))
config.substitutions.append(("%data", config.test_source_root + "/data"))
config.substitutions.append(("%shared", os.environ.get("QK_SHARED", "QK_SHARED-unset")))
config.substitutions.append(("%cxx", config.qk_cxx))
config.substitutions.append(("%cc", config.qk_cc))
config.substitutions.append(("%qk_build", config.qk_build_dir))
config.substitutions.append(("%qk_src", config.qk_source_dir))

if os.environ.get("QK_SHARED"):
    config.available_features.add("qk-shared")
if not config.qk_sanitize:
    config.available_features.add("plugins")
    if not lit_config.params.get("verify_roundtrip"):
        config.available_features.add("long")
else:
    config.available_features.add("fuzzers")
    config.substitutions.append(
        ("%fuzz", "-seed=1 -max_total_time=20 -timeout=10 -rss_limit_mb=2048 -verbosity=0"))

# Exporting models needs a Python of its own, seldom the system's.
export_python = os.environ.get("QK_PYTHON", sys.executable)
config.substitutions.append(("%export-python", "env PYTHONPATH=%s/python HF_HUB_OFFLINE=1 %s" % (
    config.qk_source_dir, export_python)))


def has_packages(*names, python=export_python):
    # Found, not imported: that takes seconds.
    code = ("import importlib.util, sys; sys.exit(not all("
            "importlib.util.find_spec(n) for n in sys.argv[1:]))")
    return os.path.exists(python) and subprocess.run(
        [python, "-c", code, *names], stderr=subprocess.DEVNULL).returncode == 0


if has_packages("numpy", "tokenizers"):
    config.available_features.add("tokenizers")
    if has_packages("torch", "transformers", "torch_mlir"):
        config.available_features.add("torch")

clients = os.environ.get("QK_CLIENTS", config.qk_build_dir + "/clients/iree/bin/python")
config.substitutions.append(("%clients", (
    "env PYTHONPATH={0}/python QK_SOURCE={0} QK_BUILD={1} QK_LIBRARY={1}/lib/libqk_c.so {2}").format(
        config.qk_source_dir, config.qk_build_dir, clients)))
if has_packages("iree.compiler", "iree.runtime", "safetensors", python=clients):
    config.available_features.add("iree")
if has_packages("onnxruntime", "onnx", "safetensors", python=clients):
    config.available_features.add("onnxruntime")


def find_ptxas():
    home = os.environ.get("CUDA_HOME", "/usr/local/cuda")
    # The last two: where utils/install-deps unpacks it.
    return shutil.which("ptxas", path=os.pathsep.join(
        [config.environment["PATH"], home + "/bin",
         "/opt/qk/nvidia/cu13/bin",
         config.qk_source_dir + "/.deps/nvidia/cu13/bin"]))


if find_ptxas():
    config.available_features.add("ptxas")
    config.substitutions.append(("%ptxas", find_ptxas()))

# From the reference lowering's result to a run, with upstream's passes and
# runner alone: `qk-opt %s --quant-llm-to-reference | %run-linalg`. No pass that
# folds is in it.
config.substitutions.append(
    ("%llvm_include", os.path.dirname(config.llvm_tools_dir) + "/include"))
llvm_libs = os.path.join(os.path.dirname(config.llvm_tools_dir), "lib")
config.substitutions.append(("%run-linalg", " ".join([
    tools + "/qk-opt --convert-elementwise-to-linalg",
    "--one-shot-bufferize=bufferize-function-boundaries",
    "--convert-linalg-to-loops --convert-scf-to-cf --expand-strided-metadata",
    "--lower-affine --convert-math-to-llvm --convert-arith-to-llvm",
    "--finalize-memref-to-llvm --convert-cf-to-llvm --convert-func-to-llvm",
    "--reconcile-unrealized-casts",
    "| mlir-runner -e main -entry-point-result=void",
] + ["-shared-libs=%s/libmlir_%s%s" % (llvm_libs, name, config.qk_lib_suffix)
     for name in ("runner_utils", "c_runner_utils", "float16_utils")])))

if shutil.which("aarch64-linux-gnu-gcc") and shutil.which("qemu-aarch64"):
    config.available_features.add("aarch64")


def machine_levels():
    """The ISA levels that this machine can run, as qk-kernel's options."""
    try:
        with open("/proc/cpuinfo") as file:
            flags = set(file.read().split())
    except OSError:
        flags = set()
    needed = {"avx512-vnni": {"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512_vnni"},
              "avx-vnni": {"avx2", "fma", "f16c", "avx_vnni"},
              "avx2": {"avx2", "fma", "f16c"}, "portable": set()}
    return " ".join("--isa=" + level for level, names in needed.items() if names <= flags)


config.substitutions.append(("%cpu-levels", machine_levels()))
# What an object that runs on OpenMP's threads is linked with.
config.substitutions.append(("%libomp", "-L%s -lomp -Wl,-rpath,%s" % (llvm_libs, llvm_libs)))
