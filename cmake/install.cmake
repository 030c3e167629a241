# The library as others use it: one shared and one static library from all layers, headers, find_package(suiren),
# pkg-config, the command, and the Debian packages that tools/package makes of them.
get_property(layers GLOBAL PROPERTY SUIREN_LAYERS)
set(objects "")
foreach(layer ${layers})
  list(APPEND objects $<TARGET_OBJECTS:${layer}>)
endforeach()

set(SUIREN_INCLUDE_DIR ${CMAKE_INSTALL_INCLUDEDIR}/suiren-${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
foreach(kind SHARED STATIC)
  string(TOLOWER ${kind} name)
  add_library(suiren_${name} ${kind} ${objects})
  set_target_properties(suiren_${name} PROPERTIES OUTPUT_NAME suiren EXPORT_NAME ${name} VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR} LINKER_LANGUAGE CXX)
  target_compile_features(suiren_${name} PUBLIC cxx_std_20)
  target_include_directories(suiren_${name} INTERFACE $<INSTALL_INTERFACE:${SUIREN_INCLUDE_DIR}>)
  target_link_libraries(suiren_${name} PUBLIC fmt::fmt Threads::Threads)
endforeach()
target_link_libraries(suiren_shared PRIVATE PkgConfig::deps yaml-cpp ${CMAKE_DL_LIBS})
# By name, so that the package does not ask its user for the .pc files of what is linked inside.
target_link_libraries(suiren_static INTERFACE pcre2-8 zstd z crypto yaml-cpp ${CMAKE_DL_LIBS})
target_link_options(suiren_shared PRIVATE -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/symbols.map
  -Wl,-z,relro,-z,now,-z,noexecstack)
set_target_properties(suiren_shared PROPERTIES LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/symbols.map)

install(TARGETS suiren RUNTIME COMPONENT runtime)
install(TARGETS suiren_shared suiren_static EXPORT suiren LIBRARY COMPONENT runtime NAMELINK_COMPONENT dev
  ARCHIVE COMPONENT dev)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/suiren ${CMAKE_BINARY_DIR}/generated/suiren DESTINATION ${SUIREN_INCLUDE_DIR}
  COMPONENT dev FILES_MATCHING PATTERN "*.h")
install(DIRECTORY ${PROJECT_SOURCE_DIR}/backends/abi DESTINATION ${SUIREN_INCLUDE_DIR}/backends COMPONENT dev
  FILES_MATCHING PATTERN "*.h" PATTERN frozen EXCLUDE)
# What a chip is built from, alone.
install(FILES ${PROJECT_SOURCE_DIR}/backends/abi/suiren_backend.h DESTINATION ${SUIREN_INCLUDE_DIR}/backends/abi
  COMPONENT header EXCLUDE_FROM_ALL)

include(CMakePackageConfigHelpers)
set(config ${CMAKE_INSTALL_LIBDIR}/cmake/suiren)
install(EXPORT suiren NAMESPACE suiren:: DESTINATION ${config} FILE suiren-targets.cmake COMPONENT dev)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/suiren-config.cmake.in ${CMAKE_BINARY_DIR}/suiren-config.cmake
  INSTALL_DESTINATION ${config})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/suiren-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/suiren-config.cmake ${CMAKE_BINARY_DIR}/suiren-config-version.cmake
  DESTINATION ${config} COMPONENT dev)
# Relative to where the file lies, so that an installed tree may be moved.
file(RELATIVE_PATH SUIREN_PC_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${PROJECT_SOURCE_DIR}/cmake/suiren.pc.in ${CMAKE_BINARY_DIR}/suiren.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/suiren.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME suiren)
set(CPACK_PACKAGE_CONTACT "Suiren <suiren@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "AI stack in C++20: train, fine-tune and serve models on any chip")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL runtime dev)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME suiren)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION science)
set(CPACK_DEBIAN_DEV_PACKAGE_NAME libsuiren-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS
  "suiren (= ${PROJECT_VERSION}), libfmt-dev, nlohmann-json3-dev, libpcre2-dev, libzstd-dev, zlib1g-dev, libssl-dev, libyaml-cpp-dev")
include(CPack)
