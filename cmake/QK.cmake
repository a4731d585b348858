# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# How qk's targets are made. One static library a folder, one precompiled
# header for everything that includes MLIR, ccache where it is installed.

find_program(QK_CCACHE ccache)
if(QK_CCACHE)
  # Relative paths, so that several checkouts share one cache; the
  # sloppiness is what a precompiled header needs.
  cmake_path(GET CMAKE_SOURCE_DIR PARENT_PATH qk_ccache_base)
  set(qk_launcher ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${qk_ccache_base}
      CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${QK_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${qk_launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${qk_launcher})
endif()

add_library(qk_options INTERFACE)
target_compile_options(qk_options INTERFACE
  -Wall -Wextra -Wno-unused-parameter -fno-semantic-interposition
  -ffp-contract=off $<$<BOOL:${QK_WERROR}>:-Werror>)
if(QK_SANITIZE)
  target_compile_options(qk_options INTERFACE
    -fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=undefined
    -fno-omit-frame-pointer)
  target_link_options(qk_options INTERFACE -fsanitize=address,undefined)
endif()

# What a file that includes LLVM or MLIR is compiled with. Their headers are
# system headers: their warnings are not ours.
add_library(qk_mlir_options INTERFACE)
target_link_libraries(qk_mlir_options INTERFACE qk_options)
target_include_directories(qk_mlir_options SYSTEM INTERFACE
  ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS})
separate_arguments(qk_llvm_definitions NATIVE_COMMAND "${LLVM_DEFINITIONS}")
target_compile_options(qk_mlir_options INTERFACE
  ${qk_llvm_definitions} -fno-exceptions -Xclang -fno-pch-timestamp)

# The shared precompiled header.
file(WRITE ${CMAKE_BINARY_DIR}/qk_pch.cpp "// carries the precompiled header\n")
add_library(qk_pch OBJECT ${CMAKE_BINARY_DIR}/qk_pch.cpp)
target_link_libraries(qk_pch PRIVATE qk_mlir_options)
target_precompile_headers(qk_pch PRIVATE
  <mlir/IR/Builders.h>
  <mlir/IR/BuiltinOps.h>
  <mlir/IR/PatternMatch.h>
  <mlir/Pass/PassManager.h>
  <mlir/Dialect/Arith/IR/Arith.h>
  <mlir/Dialect/Func/IR/FuncOps.h>
  <mlir/Dialect/Linalg/IR/Linalg.h>
  <mlir/Dialect/MemRef/IR/MemRef.h>
  <mlir/Dialect/SCF/IR/SCF.h>
  <mlir/Dialect/Tensor/IR/Tensor.h>
  <mlir/Dialect/Vector/IR/VectorOps.h>
  <mlir/Transforms/DialectConversion.h>)

# qk_add_library(Name sources... [NO_LLVM] [SHARED] [LINK libs...] [DEPENDS targets...])
# NO_LLVM: neither LLVM's include path nor its flags (Numerics, Runtime).
function(qk_add_library name)
  cmake_parse_arguments(ARG "NO_LLVM;SHARED" "" "LINK;DEPENDS" ${ARGN})
  if(ARG_SHARED)
    add_library(${name} SHARED ${ARG_UNPARSED_ARGUMENTS})
    set_target_properties(${name} PROPERTIES
      INSTALL_RPATH "$ORIGIN;$ORIGIN/qk;${LLVM_LIBRARY_DIRS}")
  else()
    add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  endif()
  add_library(qk::${name} ALIAS ${name})
  target_include_directories(${name} PUBLIC
    $<INSTALL_INTERFACE:include>)
  if(ARG_NO_LLVM)
    target_link_libraries(${name} PRIVATE $<BUILD_INTERFACE:qk_options>)
  else()
    target_link_libraries(${name} PRIVATE $<BUILD_INTERFACE:qk_mlir_options>)
    target_precompile_headers(${name} REUSE_FROM qk_pch)
    target_link_libraries(${name} PUBLIC MLIR LLVM)
  endif()
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
  set_property(GLOBAL APPEND PROPERTY QK_INSTALLED_TARGETS ${name})
endfunction()

# qk_add_tool(name sources... [LINK libs...]): an executable in build/bin.
function(qk_add_tool name)
  cmake_parse_arguments(ARG "" "" "LINK;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE qk_mlir_options ${ARG_LINK} MLIR LLVM)
  # Position-independent like the libraries, whose precompiled header it uses.
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${name} PRIVATE -fPIC)
  target_precompile_headers(${name} REUSE_FROM qk_pch)
  # libMLIR is not in the loader's cache on Debian.
  set_target_properties(${name} PROPERTIES
    INSTALL_RPATH "$ORIGIN/../lib;$ORIGIN/../lib/qk;${LLVM_LIBRARY_DIRS}")
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
  set_property(GLOBAL APPEND PROPERTY QK_INSTALLED_TOOLS ${name})
endfunction()

# qk_add_unittest(name sources... [NO_LLVM] [LINK libs...]): a GTest program
# in build/test/Unit that lit runs (lit's GoogleTest format finds *Tests).
function(qk_add_unittest name)
  cmake_parse_arguments(ARG "NO_LLVM" "" "LINK" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  if(ARG_NO_LLVM)
    target_link_libraries(${name} PRIVATE qk_options)
  else()
    target_link_libraries(${name} PRIVATE qk_mlir_options MLIR LLVM)
  endif()
  target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gtest GTest::gtest_main)
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test/Unit)
  set_property(GLOBAL APPEND PROPERTY QK_TEST_DEPENDS ${name})
endfunction()
