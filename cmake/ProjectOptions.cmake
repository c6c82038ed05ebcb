# How everything in this repository is compiled.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

# The build tree is laid out as the installed one, so that the host finds its plugins the same way in both.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(FASTVIDEO_PLUGIN_OUTPUT_DIR "${PROJECT_BINARY_DIR}/lib/fastvideo/plugins")
set(FASTVIDEO_PLUGIN_INSTALL_DIR "lib/fastvideo/plugins")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # The sloppiness lets ccache keep objects that use a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE_PROGRAM})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
endif()

# The sources of a target are compiled together, a dozen at a time: their headers are read once, which is most of a
# build's time. -DCMAKE_UNITY_BUILD=OFF (preset dev) compiles each alone: faster while one file is worked on.
set(CMAKE_UNITY_BUILD ON CACHE BOOL "Compile the sources of a target together")
set(CMAKE_UNITY_BUILD_BATCH_SIZE 12)

# Sources that are compiled together see each other's helpers: no accident, since each is compiled alone by ./dev lint.
if(CMAKE_UNITY_BUILD)
  set(_shadow -Wshadow=local)
  add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-subobject-linkage>)
else()
  set(_shadow -Wshadow)
endif()
# -Wrestrict sees overlaps in std::string of g++ 12 that are not there (GCC bug 105651).
add_compile_options(
  $<$<COMPILE_LANGUAGE:C,CXX>:-Wall> $<$<COMPILE_LANGUAGE:C,CXX>:-Wextra> $<$<COMPILE_LANG_AND_ID:C,GNU>:${_shadow}> $<$<COMPILE_LANG_AND_ID:CXX,GNU>:${_shadow}>
  $<$<COMPILE_LANG_AND_ID:C,GNU>:-Wno-restrict> $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-restrict> $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>)
if(FASTVIDEO_SANITIZE)
  add_compile_options("$<$<COMPILE_LANGUAGE:C,CXX>:-fsanitize=${FASTVIDEO_SANITIZE};-fno-sanitize-recover=all;-fno-omit-frame-pointer;-g1>")
  add_link_options(-fsanitize=${FASTVIDEO_SANITIZE})
endif()

# -O2; -O3 where a run's time is spent, see fastvideo_computes() and fastvideo_use_libtorch().
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_C_FLAGS_RELEASE "-O2 -DNDEBUG")

# fastvideo_optimise(TARGET LEVEL): compiles TARGET with LEVEL (-O1, -O3) where it is compiled for users.
function(fastvideo_optimise target level)
  target_compile_options(${target} PRIVATE $<$<AND:$<CONFIG:Release>,$<COMPILE_LANGUAGE:C,CXX>>:${level}>)
endfunction()

# TARGET spends a run's time in loops of its own. It shares no precompiled header: those are made with another level.
function(fastvideo_computes target)
  fastvideo_optimise(${target} -O3)
  # Under sanitizers, too: tests wait for these loops for longer than for all else.
  target_compile_options(${target} PRIVATE $<$<AND:$<NOT:$<CONFIG:Release>>,$<COMPILE_LANGUAGE:C,CXX>>:-O2>)
  set_target_properties(${target} PROPERTIES FASTVIDEO_OWN_HEADERS ON)
endfunction()

# TARGET includes the header that PCH has precompiled. One serves one kind of position independence: -fPIC, not -fPIE.
function(fastvideo_use_pch target pch)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "EXECUTABLE")
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:C,CXX>:-fPIC>)
  endif()
  target_precompile_headers(${target} REUSE_FROM ${pch})
  set_target_properties(${target} PROPERTIES FASTVIDEO_OWN_HEADERS ON)
endfunction()

set(FASTVIDEO_STD_HEADERS
  <algorithm> <array> <atomic> <charconv> <chrono> <cmath> <condition_variable> <cstdint> <cstdio> <cstring> <filesystem>
  <fstream> <functional> <limits> <map> <memory> <mutex> <numeric> <optional> <set> <span> <sstream> <stdexcept> <string>
  <string_view> <thread> <unordered_map> <utility> <variant> <vector>)
add_library(fastvideo_std_pch OBJECT "${CMAKE_CURRENT_LIST_DIR}/pch.cpp")
target_precompile_headers(fastvideo_std_pch PRIVATE ${FASTVIDEO_STD_HEADERS})
set_target_properties(fastvideo_std_pch PROPERTIES FASTVIDEO_OWN_HEADERS ON)

# Lets every C++ target under DIRECTORY that shares no precompiled header yet use that of the standard library.
function(fastvideo_precompile_std directory)
  get_property(targets DIRECTORY "${directory}" PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(type ${target} TYPE)
    get_target_property(own ${target} FASTVIDEO_OWN_HEADERS)
    if(type MATCHES "STATIC|MODULE|OBJECT|SHARED|EXECUTABLE" AND NOT own)
      get_target_property(sources ${target} SOURCES)
      if(sources MATCHES "[.]cpp" AND NOT sources MATCHES "[.]c(;|$)")
        fastvideo_use_pch(${target} fastvideo_std_pch)
      endif()
    endif()
  endforeach()
  get_property(folders DIRECTORY "${directory}" PROPERTY SUBDIRECTORIES)
  foreach(folder IN LISTS folders)
    fastvideo_precompile_std("${folder}")
  endforeach()
endfunction()

find_package(Threads REQUIRED)
