# LibTorch out of the PyPI wheel, as the imported target fastvideo::libtorch. find_package(Torch) is not used: it fails
# where no CUDA toolkit is, and its targets link libtorch_cuda, which costs every CPU run half a second and 350 MB.
if(NOT EXISTS "${FASTVIDEO_LIBTORCH_DIR}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "No LibTorch in ${FASTVIDEO_LIBTORCH_DIR}: run ./dev setup, or set FASTVIDEO_LIBTORCH_DIR to the "
                      "torch folder of an installed wheel")
endif()
file(READ "${FASTVIDEO_LIBTORCH_DIR}/version.py" _torch_version_py)
string(REGEX MATCH "__version__ = '([0-9]+\\.[0-9]+)" _match "${_torch_version_py}")
set(FASTVIDEO_LIBTORCH_VERSION "${CMAKE_MATCH_1}")

add_library(fastvideo_libtorch INTERFACE)
add_library(fastvideo::libtorch ALIAS fastvideo_libtorch)
target_include_directories(fastvideo_libtorch SYSTEM INTERFACE
  "${FASTVIDEO_LIBTORCH_DIR}/include" "${FASTVIDEO_LIBTORCH_DIR}/include/torch/csrc/api/include")
target_link_libraries(fastvideo_libtorch INTERFACE
  "${FASTVIDEO_LIBTORCH_DIR}/lib/libtorch_cpu.so" "${FASTVIDEO_LIBTORCH_DIR}/lib/libc10.so"
  "${FASTVIDEO_LIBTORCH_DIR}/lib/libgomp.so.1")
# at::parallel_for is an OpenMP loop in a header: compiled without this flag it runs on one thread and says nothing.
# LibTorch's own libgomp is linked, so that its thread pool is the only one.
target_compile_options(fastvideo_libtorch INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fopenmp>)

# One precompiled ATen for all that includes it: 9 s a file become 2.
add_library(fastvideo_libtorch_pch OBJECT "${CMAKE_CURRENT_LIST_DIR}/pch.cpp")
target_link_libraries(fastvideo_libtorch_pch PRIVATE fastvideo_libtorch)
target_precompile_headers(fastvideo_libtorch_pch PRIVATE <ATen/ATen.h>)
fastvideo_optimise(fastvideo_libtorch_pch -O3)
set_target_properties(fastvideo_libtorch_pch PROPERTIES FASTVIDEO_OWN_HEADERS ON)

# Links LibTorch into TARGET and lets it use the precompiled header.
function(fastvideo_use_libtorch target)
  target_link_libraries(${target} PRIVATE fastvideo::libtorch)
  fastvideo_optimise(${target} -O3)
  fastvideo_use_pch(${target} fastvideo_libtorch_pch)
endfunction()
