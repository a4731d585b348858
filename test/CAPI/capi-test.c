/*===- capi-test.c - qk from C ------------------------------------------===*\
|*
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
\*===----------------------------------------------------------------------===*/

#include "qk-c/Dialect.h"
#include "qk-c/QK.h"

#include "mlir-c/Pass.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { M = 2, N = 4, K = 8 };

static const char *const text =
    "func.func @main(%x: tensor<2x8xf32>) -> tensor<2x4xf32> {\n"
    "  %w = arith.constant dense_resource<fc.weight> : tensor<4x8xf32>\n"
    "  %zero = arith.constant 0.0 : f32\n"
    "  %e = tensor.empty() : tensor<2x4xf32>\n"
    "  %i = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4xf32>)"
    " -> tensor<2x4xf32>\n"
    "  %y = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>,"
    " affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]\n"
    "    ins(%x, %w : tensor<2x8xf32>, tensor<4x8xf32>)"
    " outs(%i : tensor<2x4xf32>) -> tensor<2x4xf32>\n"
    "  return %y : tensor<2x4xf32>\n"
    "}\n";

static QkContext *context;

static void check(int good, const char *what) {
  if (good)
    return;
  printf("failed: %s\n%s", what, qkContextTakeMessages(context));
  exit(1);
}

/* A weight that is the second half of a tensor. */
static const char *const part_text =
    "func.func @main() -> tensor<2x8xf32> {\n"
    "  %w = quant_llm.parameter \"model\"::\"stack\" {part = "
    "#quant_llm.part<offset = 16, sizes = [16], strides = [1]>} : "
    "tensor<2x8xf32>\n"
    "  return %w : tensor<2x8xf32>\n"
    "}\n";

/* What must fail prints what it says. */
static void expect_failure(int failed, const char *what) {
  if (!failed) {
    printf("expected failure: %s\n", what);
    exit(1);
  }
  printf("%s: %s", what, qkContextTakeMessages(context));
}

static QkModule *parse(void) {
  QkModule *module = qkModuleParse(context, text, strlen(text), "model.mlir");
  check(module != NULL, "parse");
  return module;
}

static void bind_part(void) {
  static float w[N][K];
  const int64_t shape[] = {N, K}, short_shape[] = {3, K};
  const QkTensor whole = {QK_F32, 2, shape, w};
  const QkTensor less = {QK_F32, 2, short_shape, w};
  w[2][0] = 1.5f;
  QkModule *module =
      qkModuleParse(context, part_text, strlen(part_text), "part.mlir");
  check(module != NULL, "parse part");
  expect_failure(qkModuleBindParameter(module, "stack", &less), "part");
  check(!qkModuleBindParameter(module, "stack", &whole), "bind part");
  char *printed = qkModulePrint(module);
  check(printed != NULL, "print part");
  printf("bound: %s", printed);
  qkFree(printed);
  qkModuleDestroy(module);
}

static void run_model(void) {
  static float w[N][K], x[M][K], hessian[K][K], absmax[K], absmean[K];
  for (int k = 0; k < K; ++k) {
    for (int n = 0; n < N; ++n)
      w[n][k] = sinf((float)(1 + n * K + k));
    x[0][k] = 1;
    x[1][k] = (float)k / 4 - 1;
    absmax[k] = absmean[k] = 1;
    for (int j = 0; j < K; ++j)
      hessian[k][j] = k == j ? 1.0f : 0.5f;
  }
  const int64_t weight_shape[] = {N, K}, x_shape[] = {M, K};
  const int64_t wrong_shape[] = {K, N};
  const QkTensor weight = {QK_F32, 2, weight_shape, w};
  const QkTensor wrong = {QK_F32, 2, wrong_shape, w};

  QkModule *module = parse();
  expect_failure(qkModuleBindParameter(module, "fc", &weight), "name");
  expect_failure(qkModuleBindParameter(module, "fc.weight", &wrong), "shape");
  check(!qkModuleBindParameter(module, "fc.weight", &weight), "bind");
  expect_failure(qkModuleSetStatistics(module, "fc", 0, 1, NULL, NULL, NULL),
                 "statistics");
  expect_failure(qkModuleRun(module, "quant-llm-gptq{bits=4"), "pipeline");
  expect_failure(qkModuleQuantize(module, "rtn", "bits=5"), "bits");
  expect_failure(qkModuleQuantize(module, "RTN", ""), "method");
  expect_failure(qkModuleQuantize(module, "rtn", "bitz=4"), "option");
  expect_failure(qkModuleQuantize(module, "rtn", "bits=four"), "value");
  check(!qkModuleSetStatistics(module, "other", K, 100, &hessian[0][0], absmax,
                               absmean),
        "other statistics");
  qkModuleDestroy(module);

  /* A pipeline with the brackets that mlir-opt wants around it. */
  module = parse();
  check(!qkModuleBindParameter(module, "fc.weight", &weight), "bind");
  check(!qkModuleRun(module, " builtin.module(quant-llm-rtn{group-size=4},"
                             "quant-llm-evaluate)"),
        "whole pipeline");
  check(qkModuleNumLayers(module) == 1, "whole pipeline ran");
  expect_failure(qkModuleRun(module, "builtin.module(cse),cse"), "two");
  qkModuleDestroy(module);

  module = parse();
  check(!qkModuleBindParameter(module, "fc.weight", &weight), "bind");
  qkModuleSetStatistics(module, "other", K, 100, &hessian[0][0], NULL, NULL);
  expect_failure(
      qkModuleQuantize(module, "gptq", "bits=4 group-size=4 effort=fast"),
      "missing");
  qkModuleDestroy(module);

  module = parse();
  check(!qkModuleBindParameter(module, "fc.weight", &weight), "bind");
  check(!qkModuleSetStatistics(module, "fc", K, 100, &hessian[0][0], absmax,
                               absmean),
        "statistics");
  check(!qkModuleQuantize(module, "gptq",
                          "bits=4 group-size=4 effort=fast strict"),
        "quantize");
  printf("messages: '%s'\n", qkContextTakeMessages(context));
  check(qkModuleNumLayers(module) == 1, "layers");
  QkLayer layer;
  check(!qkModuleGetLayer(module, 0, &layer), "layer");
  expect_failure(qkModuleGetLayer(module, 1, &layer), "index");
  check(!qkModuleGetLayer(module, 0, &layer), "layer");
  printf("layer %s: %d x %d, %d bits, groups of %d\n", layer.name, (int)layer.n,
         (int)layer.k, layer.bits, (int)layer.group_size);

  /* What the codes say the result is. */
  float expected[M][N];
  float largest = 0;
  for (int m = 0; m < M; ++m)
    for (int n = 0; n < N; ++n) {
      float sum = 0;
      for (int k = 0; k < K; ++k) {
        int64_t g = n * layer.groups + k / layer.group_size;
        float value = layer.scales[g] *
                      (float)(layer.codes[n * K + k] - layer.zero_points[g]);
        sum += x[m][k] * value;
        if (fabsf(value - w[n][k]) > largest)
          largest = fabsf(value - w[n][k]);
      }
      expected[m][n] = sum;
    }
  check(largest > 0 && largest < 0.3f, "codes stand for the weight");

  char *printed = qkModulePrint(module);
  check(strstr(printed, "quant_llm.matmul") != NULL, "print");
  qkFree(printed);

  QkExecutable *executable = qkModuleCompile(module, "activations=float");
  check(executable != NULL, "compile");
  const QkTensor input = {QK_F32, 2, x_shape, x};
  QkTensor result;
  size_t count = 1;
  check(!qkExecutableCall(executable, NULL, &input, 1, &result, &count),
        "call");
  check(count == 1 && result.rank == 2 && result.shape[1] == N, "result");
  expect_failure(qkModuleCompile(module, "activations=int8") == NULL,
                 "lowered");
  const float *y = result.data;
  for (int i = 0; i < M * N; ++i)
    check(fabsf(y[i] - (&expected[0][0])[i]) < 1e-4f, "values");
  printf("model runs\n");
  expect_failure(
      qkExecutableCall(executable, NULL, &weight, 1, &result, &count),
      "argument");
  expect_failure(
      qkExecutableCall(executable, "other", &input, 1, &result, &count),
      "entry");
  count = 0;
  expect_failure(
      qkExecutableCall(executable, "main", &input, 1, &result, &count), "room");
  qkExecutableDestroy(executable);
  qkModuleDestroy(module);
}

static void make_kernel(void) {
  QkKernel kernel = {.name = "fc", .k = K, .group_size = 4, .zero_points = 1};
  void *object;
  size_t size;
  char *header;
  check(!qkKernelCompile(context, &kernel, &object, &size, &header), "kernel");
  check(size > 4 && memcmp(object, "\177ELF", 4) == 0, "object");
  check(strstr(header, "fc_pack") != NULL, "header");
  qkFree(object);
  qkFree(header);
  kernel.codes = "u5";
  expect_failure(qkKernelCompile(context, &kernel, &object, &size, &header),
                 "codes");
  kernel.k = 0;
  expect_failure(qkKernelCompile(context, &kernel, &object, &size, &header),
                 "k");
  printf("kernel is an object\n");
}

/* The dialect and the passes in a context of MLIR's own C API. */
static void use_mlir(void) {
  MlirDialectRegistry registry = mlirDialectRegistryCreate();
  qkDialectRegistryInsert(registry);
  MlirContext mlir = mlirContextCreateWithRegistry(registry, false);
  mlirDialectRegistryDestroy(registry);
  mlirContextLoadAllAvailableDialects(mlir);
  qkRegisterPasses();
  qkRegisterPasses();
  MlirModule module = mlirModuleCreateParse(
      mlir, mlirStringRefCreateFromCString(
                "module { %0 = quant_llm.parameter \"model\"::\"w\" :"
                " tensor<4x8xf32> }"));
  check(!mlirModuleIsNull(module), "mlir parse");
  MlirPassManager passes = mlirPassManagerCreate(mlir);
  check(
      mlirLogicalResultIsSuccess(mlirParsePassPipeline(
          mlirPassManagerGetAsOpPassManager(passes),
          mlirStringRefCreateFromCString("builtin.module(quant-llm-evaluate)"),
          NULL, NULL)),
      "mlir pipeline");
  check(mlirLogicalResultIsSuccess(
            mlirPassManagerRunOnOp(passes, mlirModuleGetOperation(module))),
        "mlir run");
  mlirPassManagerDestroy(passes);
  mlirModuleDestroy(module);
  mlirContextDestroy(mlir);
  printf("dialect and passes in MLIR's C API\n");
}

int main(void) {
  context = qkContextCreate();
  expect_failure(qkModuleParse(context, "func.func", 9, "bad.mlir") == NULL,
                 "syntax");
  expect_failure(qkModuleParse(context, "ML\xefR\r", 5, "cut.mlirbc") == NULL,
                 "bytecode");
  bind_part();
  run_model();
  make_kernel();
  use_mlir();
  qkContextDestroy(context);
  return 0;
}
