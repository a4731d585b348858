/*===- QK.h - qk for programs in C ------------------------------*- C -*-===*\
|*
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
\*===----------------------------------------------------------------------===*/
/**
 * \file
 * Modules as text or bytecode in, quantised, lowered and run. A flat interface
 * to libqk_c: no header of MLIR is needed (Dialect.h is for programs that use
 * MLIR's C API themselves).
 *
 * Functions that can fail return NULL or a value other than 0 and leave what
 * went wrong in the context's messages. Nothing is thread-safe within a
 * context; contexts are independent, but for runs, whose runtime has
 * process-wide state.
 */
#ifndef QK_C_QK_H
#define QK_C_QK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct QkContext QkContext;
typedef struct QkModule QkModule;
typedef struct QkExecutable QkExecutable;

/** Element types; Safetensors' names for them are the same. */
typedef enum QkType {
  QK_BOOL,
  QK_U8,
  QK_I8,
  QK_U16,
  QK_I16,
  QK_F16,
  QK_BF16,
  QK_U32,
  QK_I32,
  QK_F32,
  QK_U64,
  QK_I64,
  QK_F64
} QkType;

/** A dense array, row-major. */
typedef struct QkTensor {
  QkType type;
  size_t rank;
  const int64_t *shape;
  const void *data;
} QkTensor;

/** The version of this interface: MAJOR * 1000 + MINOR. */
int qkVersion(void);

/** What modules share: all dialects of MLIR and qk, and messages. Not NULL. */
QkContext *qkContextCreate(void);
/** After all its modules and executables. */
void qkContextDestroy(QkContext *context);
/** Errors, warnings and remarks since the last call, each "FILE:LINE:COLUMN:
 * error: TEXT" and a newline. Valid until the next call. */
const char *qkContextTakeMessages(QkContext *context);

/** Frees what functions here return as `char *` or `void *`. */
void qkFree(void *memory);

/** Text or bytecode. `name` stands for the file in messages; paths in the
 * module are relative to its folder. NULL: not a module. */
QkModule *qkModuleParse(QkContext *context, const char *bytes, size_t size,
                        const char *name);
void qkModuleDestroy(QkModule *module);
/** The module as text, terminated; free it with qkFree. */
char *qkModulePrint(QkModule *module);

/** Runs a pipeline, as in `builtin.module(PIPELINE)` (or all of that): qk's
 * passes and pipelines, named quant-llm-…, MLIR's general ones (canonicalize,
 * cse, …), and what else the program registered. */
int qkModuleRun(QkModule *module, const char *pipeline);

/** Gives `dense_resource<NAME>` constants without data, and parameters NAME, an
 * array of the caller's, which stays where it is: it must outlive the module
 * and its executables. Types and shapes must be the module's. An error where
 * the module has nothing without data of that name. */
int qkModuleBindParameter(QkModule *module, const char *name,
                          const QkTensor *tensor);

/** Statistics of the input of a layer of K elements a token, for
 * qkModuleQuantize: hessian X^T X / tokens [K,K], absmax and absmean [K] in
 * f32, each or NULL. They stay where they are until then. */
int qkModuleSetStatistics(QkModule *module, const char *layer, int64_t k,
                          int64_t tokens, const float *hessian,
                          const float *absmax, const float *absmean);

/** Quantises by `method` (rtn, gptq, awq, smoothquant) with the options that
 * `quant-llm-METHOD{…}` takes. Statistics are those set here, if any, else
 * those that the pipeline quant-llm-calibrate named. */
int qkModuleQuantize(QkModule *module, const char *method, const char *options);

/** A quantised layer, copied out. weight[n,k] = scales[n,g] * (codes[n,k] -
 * zero_points[n,g]), g = k / group_size; with a permutation column
 * permutation[k] of the weight is at k. */
typedef struct QkLayer {
  const char *name;
  int64_t n, k, groups;
  int64_t group_size; /**< -1: the whole row. */
  int bits;
  int is_signed;
  int is_float;               /**< Codes stand for floats: e4m3 (f8E4M3FN). */
  const uint8_t *codes;       /**< [n,k], two's complement where signed. */
  const float *scales;        /**< [n,groups]. */
  const int16_t *zero_points; /**< [n,groups]; filled in where implied. */
  const int32_t *permutation; /**< [k], or NULL. */
} QkLayer;

/** How many layers are quantised (recipes evaluated). */
size_t qkModuleNumLayers(QkModule *module);
/** Layer `index` in the order of the module; valid until the next call for this
 * module. */
int qkModuleGetLayer(QkModule *module, size_t index, QkLayer *layer);

/** Lowers the module for this machine's CPU, unless that is done, and compiles
 * it in memory. `options`: those of quant-llm-lower-to-cpu, may be NULL or
 * empty, and must be where the module is lowered already. The module is
 * changed, and must outlive the executable. */
QkExecutable *qkModuleCompile(QkModule *module, const char *options);
void qkExecutableDestroy(QkExecutable *executable);

/** Runs the entry `entry` (NULL: the only one). `results` gets arrays that live
 * until the executable's next call; `*num_results` is how many fit, and becomes
 * how many there are. */
int qkExecutableCall(QkExecutable *executable, const char *entry,
                     const QkTensor *arguments, size_t num_arguments,
                     QkTensor *results, size_t *num_results);

/** One matrix product; fields as the options of qk-kernel, 0 or NULL: its
 * defaults. */
typedef struct QkKernel {
  const char *name;        /**< C identifier; "qk_matmul". */
  int64_t k;               /**< Inputs of a channel; needed. */
  const char *codes;       /**< "u4". */
  int64_t group_size;      /**< 128; -1: the whole row. */
  const char *scale_type;  /**< "f16". */
  const char *activations; /**< "int16". */
  const char *element;     /**< "f32". */
  int zero_points, bias;   /**< What belongs to the weight. */
  int sequential;          /**< Without OpenMP. */
} QkKernel;

/** The kernel as an object file for this machine, and the C header that says
 * how to call it (terminated). Free both with qkFree. */
int qkKernelCompile(QkContext *context, const QkKernel *kernel, void **object,
                    size_t *object_size, char **header);

#ifdef __cplusplus
}
#endif
#endif /* QK_C_QK_H */
