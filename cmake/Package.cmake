# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# `cpack -G DEB` in the build folder: a Debian package of what is installed,
# with the BLAS that it was built with, so that nothing but Debian's own (and
# LLVM's) packages are needed.
set(CPACK_PACKAGE_NAME qk)
set(CPACK_PACKAGE_VENDOR qk)
set(CPACK_PACKAGE_CONTACT "the qk developers <qk@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY
  "quantises language models in MLIR and compiles them")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_GENERATOR DEB)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION devel)
# Developers' packages are needed only by who builds on the libraries.
set(CPACK_DEBIAN_PACKAGE_DEPENDS
  "libmlir-22, libllvm22, libomp5-19, libc6, libstdc++6")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "libmlir-22-dev, llvm-22-dev, clang-22")
set(CPACK_STRIP_FILES ON)
include(CPack)
