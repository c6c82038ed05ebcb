# Tests are GoogleTest programs beside what they test; Python tests are parity checks against diffusers and transformers.
find_package(GTest REQUIRED)
include(GoogleTest)
set(FASTVIDEO_REFERENCE_PYTHON "${PROJECT_SOURCE_DIR}/.deps/reference/bin/python" CACHE FILEPATH
    "A Python with the packages of tests/requirements.txt: the reference implementations")

# All tests that use no LibTorch. A build with sanitizers runs these alone: LibTorch is built without them.
add_custom_target(without_libtorch)

# Those of them that use threads, for ThreadSanitizer.
add_custom_target(with_threads)

# The main function of programs that ctest runs whole: exit code 77 where all their tests were skipped.
set(FASTVIDEO_SKIPPED 77)
add_library(fastvideo_test_main STATIC "${PROJECT_SOURCE_DIR}/tests/support/main.cpp")
target_link_libraries(fastvideo_test_main PUBLIC GTest::gtest)

# Headers of tests, precompiled: without and with LibTorch. Optimising tests further costs more than it saves.
foreach(_pch fastvideo_test_pch fastvideo_libtorch_test_pch)
  add_library(${_pch} OBJECT "${PROJECT_SOURCE_DIR}/cmake/pch.cpp")
  target_link_libraries(${_pch} PRIVATE GTest::gtest)
  target_precompile_headers(${_pch} PRIVATE ${FASTVIDEO_STD_HEADERS} <gtest/gtest.h>)
  fastvideo_optimise(${_pch} -O1)
  set_target_properties(${_pch} PROPERTIES FASTVIDEO_OWN_HEADERS ON)
endforeach()
target_link_libraries(fastvideo_libtorch_test_pch PRIVATE fastvideo::libtorch)
target_precompile_headers(fastvideo_libtorch_test_pch PRIVATE <ATen/ATen.h>)

# Links LibTorch into TARGET, a test's program or library.
function(fastvideo_test_uses_libtorch target)
  target_link_libraries(${target} PRIVATE fastvideo::libtorch GTest::gtest)
  fastvideo_optimise(${target} -O1)
  fastvideo_use_pch(${target} fastvideo_libtorch_test_pch)
endfunction()

# fastvideo_add_test(NAME SOURCES... [LINK libs...] [TORCH] [THREADS] [WHOLE] [LABELS labels...] [GPU_TESTS filter]): one
# GoogleTest program. THREADS: it runs under ThreadSanitizer, too. WHOLE: ctest runs all its tests as one; TORCH means
# that, too, since loading LibTorch, as reaching a GPU, costs half a second each time. GPU_TESTS, with TORCH: those of its
# tests that need a GPU, which ctest runs, or says that it skips, as NAME_gpu. OUTSIDE: its sources run programs rather
# than our code, which is in libraries: under AddressSanitizer they alone are built without it, in a third of the time.
function(fastvideo_add_test name)
  cmake_parse_arguments(ARG "TORCH;THREADS;WHOLE;OUTSIDE" "GPU_TESTS" "SOURCES;LINK;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES} ${ARG_UNPARSED_ARGUMENTS})
  if(ARG_TORCH OR ARG_WHOLE)
    target_link_libraries(${name} PRIVATE ${ARG_LINK} fastvideo_test_main GTest::gtest Threads::Threads)
  else()
    target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gtest GTest::gtest_main Threads::Threads)
  endif()
  if(ARG_TORCH)
    fastvideo_test_uses_libtorch(${name})
  elseif(ARG_OUTSIDE AND FASTVIDEO_SANITIZE MATCHES address)
    target_compile_options(${name} PRIVATE -O0 -g0 -fno-sanitize=all)
    target_compile_definitions(${name} PRIVATE FASTVIDEO_RUNS_SANITIZED)
  else()
    fastvideo_optimise(${name} -O1)
    fastvideo_use_pch(${name} fastvideo_test_pch)
  endif()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  if(ARG_TORCH AND FASTVIDEO_SANITIZE)
    set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL ON)
  elseif(ARG_TORCH OR ARG_WHOLE)
    if(ARG_GPU_TESTS)
      add_test(NAME ${name} COMMAND ${name} "--gtest_filter=-${ARG_GPU_TESTS}")
      add_test(NAME ${name}_gpu COMMAND ${name} "--gtest_filter=${ARG_GPU_TESTS}")
      set_tests_properties(${name}_gpu PROPERTIES LABELS gpu SKIP_RETURN_CODE ${FASTVIDEO_SKIPPED})
    else()
      add_test(NAME ${name} COMMAND ${name})
    endif()
    set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" SKIP_RETURN_CODE ${FASTVIDEO_SKIPPED})
  else()
    add_dependencies(without_libtorch ${name})
    if(ARG_THREADS)
      add_dependencies(with_threads ${name})
      list(APPEND ARG_LABELS threads)
    endif()
    # One label of all, since gtest_discover_tests takes a list apart; ctest looks for labels by regular expression.
    string(REPLACE ";" "+" labels "${ARG_LABELS}")
    gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 PROPERTIES LABELS "${labels}")
  endif()
endfunction()

# fastvideo_add_parity_test(NAME SCRIPT ARGS...): runs SCRIPT with the reference Python, its packages imported once for all.
function(fastvideo_add_parity_test name script)
  add_test(NAME ${name} COMMAND "${FASTVIDEO_REFERENCE_PYTHON}" "${PROJECT_SOURCE_DIR}/tests/support/reference_python.py"
    "${CMAKE_CURRENT_SOURCE_DIR}/${script}" ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS parity
    ENVIRONMENT "PYTHONPATH=${PROJECT_SOURCE_DIR}/tests/reference;PYTHONDONTWRITEBYTECODE=1")
endfunction()

# fastvideo_add_slow_parity_test(NAME SCRIPT ARGS...): one that `./dev test slow` runs, the longer form of another.
function(fastvideo_add_slow_parity_test name)
  fastvideo_add_parity_test(${name} ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS "parity;slow" TIMEOUT 3600)
endfunction()
