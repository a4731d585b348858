# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# The BLAS and LAPACK that qk computes with: the imported target QKBLAS::QKBLAS.
#
# First choice: OpenBLAS 0.3.34 as PyPI's wheel scipy-openblas32 carries it,
# unpacked by utils/install-deps into /opt/qk (or .deps in the source tree).
# Debian's OpenBLAS 0.3.21 is 5 to 10 % slower where it knows the processor, and
# at a third of the speed with its SSE kernels, its likely choice where not; BLIS
# 0.9 is at half the speed on products with a small inner size (lib/Blas/README.md).
# Second choice: Debian's OpenBLAS, then any CBLAS with LAPACK.
# -DQK_BLAS_ROOT=DIR names another folder with lib/libscipy_openblas.so;
# -DQK_BLAS=system skips the wheel, -DQK_BLAS=cblas OpenBLAS as well. For BLIS:
# -DQK_BLAS=cblas -DCMAKE_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu/blis-serial.

set(QK_BLAS "wheel" CACHE STRING "wheel: prefer the wheel scipy-openblas32; system: do not look for it; cblas: nor for OpenBLAS")
set(QK_BLAS_ROOT "" CACHE PATH "Folder of an unpacked wheel scipy-openblas32")

unset(QKBLAS_LIBRARY CACHE)
unset(QKBLAS_LAPACK_LIBRARY CACHE)
if(QK_BLAS STREQUAL "wheel")
  find_library(QKBLAS_LIBRARY scipy_openblas NO_DEFAULT_PATH
    PATHS ${QK_BLAS_ROOT} ${CMAKE_SOURCE_DIR}/.deps/scipy_openblas32
          /opt/qk/scipy_openblas32
    PATH_SUFFIXES lib)
endif()
if(QKBLAS_LIBRARY)
  set(qk_blas_libraries ${QKBLAS_LIBRARY})
  set(qk_blas_definitions QK_BLAS_SCIPY_PREFIX QK_BLAS_OPENBLAS)
  set(qk_blas_what "OpenBLAS of the wheel scipy-openblas32")
else()
  if(NOT QK_BLAS STREQUAL "cblas")
    find_library(QKBLAS_LIBRARY NAMES openblas
      HINTS /usr/lib/x86_64-linux-gnu/openblas-serial)
  endif()
  if(QKBLAS_LIBRARY)
    set(qk_blas_libraries ${QKBLAS_LIBRARY})
    set(qk_blas_definitions QK_BLAS_OPENBLAS)
    set(qk_blas_what "the system's OpenBLAS")
  else()
    find_library(QKBLAS_LIBRARY NAMES cblas blas)
    find_library(QKBLAS_LAPACK_LIBRARY NAMES lapack)
    if(QKBLAS_LIBRARY AND QKBLAS_LAPACK_LIBRARY)
      # BLAS first: where it is another library than LAPACK was linked with, its
      # symbols are found before those.
      set(qk_blas_libraries ${QKBLAS_LIBRARY} ${QKBLAS_LAPACK_LIBRARY})
      # Some systems have the C interface in a library of its own, or not at all.
      include(CheckCXXSourceCompiles)
      set(CMAKE_REQUIRED_LIBRARIES ${qk_blas_libraries})
      unset(QKBLAS_HAS_CBLAS CACHE)
      check_cxx_source_compiles("extern \"C\" { void cblas_sgemm(); void cblas_ssyrk();
        void cblas_strsm(); void spotrf_(); }
        int main() { cblas_sgemm(); cblas_ssyrk(); cblas_strsm(); spotrf_(); }" QKBLAS_HAS_CBLAS)
      unset(CMAKE_REQUIRED_LIBRARIES)
      if(NOT QKBLAS_HAS_CBLAS)
        message(STATUS "${qk_blas_libraries} lack the C interface of BLAS, or LAPACK's spotrf")
        unset(qk_blas_libraries)
      endif()
    endif()
    set(qk_blas_definitions "")
    set(qk_blas_what "the system's BLAS and LAPACK, which may be slow")
  endif()
  if(QK_BLAS STREQUAL "wheel" AND qk_blas_libraries)
    message(STATUS "no wheel scipy-openblas32 (utils/install-deps unpacks it): "
      "using ${qk_blas_what}")
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(QKBLAS
  REQUIRED_VARS qk_blas_libraries QKBLAS_LIBRARY
  REASON_FAILURE_MESSAGE
    "run utils/install-deps, or install libopenblas-serial-dev")

if(QKBLAS_FOUND AND NOT TARGET QKBLAS::QKBLAS)
  add_library(QKBLAS::QKBLAS INTERFACE IMPORTED)
  set_target_properties(QKBLAS::QKBLAS PROPERTIES
    INTERFACE_LINK_LIBRARIES "${qk_blas_libraries}"
    INTERFACE_COMPILE_DEFINITIONS "${qk_blas_definitions}")
endif()
