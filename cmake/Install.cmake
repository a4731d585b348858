# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# `find_package(qk)` for other projects: libraries, tools, headers, ODS files.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

get_property(qk_targets GLOBAL PROPERTY QK_INSTALLED_TARGETS)
get_property(qk_tools GLOBAL PROPERTY QK_INSTALLED_TOOLS)
install(TARGETS ${qk_targets} EXPORT qkTargets)
install(TARGETS ${qk_tools} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
get_property(qk_plugins GLOBAL PROPERTY QK_INSTALLED_PLUGINS)
install(TARGETS ${qk_plugins} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/ ${CMAKE_BINARY_DIR}/include/
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h" PATTERN "*.td" PATTERN "*.inc"
  PATTERN "CMakeFiles" EXCLUDE)
set(qk_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/qk)
install(EXPORT qkTargets NAMESPACE qk:: DESTINATION ${qk_cmake_dir})
configure_package_config_file(cmake/qkConfig.cmake.in
  ${CMAKE_BINARY_DIR}/qkConfig.cmake INSTALL_DESTINATION ${qk_cmake_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/qkConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/qkConfig.cmake
  ${CMAKE_BINARY_DIR}/qkConfigVersion.cmake DESTINATION ${qk_cmake_dir})
