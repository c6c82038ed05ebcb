# CUDA kernels are optional: everything else builds and runs where no compiler for them is. Sets FASTVIDEO_HAS_CUDA and,
# if it is true, enables the language CUDA; a folder with kernels asks for it in its CMakeLists.txt.
set(FASTVIDEO_BUILD_CUDA_KERNELS AUTO CACHE STRING "Build the CUDA kernels: AUTO (where nvcc is found), ON or OFF")
set_property(CACHE FASTVIDEO_BUILD_CUDA_KERNELS PROPERTY STRINGS AUTO ON OFF)

set(FASTVIDEO_HAS_CUDA OFF)
if(NOT FASTVIDEO_BUILD_CUDA_KERNELS STREQUAL "OFF")
  find_program(FASTVIDEO_NVCC nvcc PATHS "$ENV{CUDA_HOME}/bin" /usr/local/cuda/bin)
  if(FASTVIDEO_NVCC)
    set(CMAKE_CUDA_COMPILER "${FASTVIDEO_NVCC}")
    set(CMAKE_CUDA_ARCHITECTURES 90a)  # what a target does not say otherwise: Hopper with its own instructions
    set(CMAKE_CUDA_VISIBILITY_PRESET hidden)
    if(CCACHE_PROGRAM)
      set(CMAKE_CUDA_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
    endif()
    enable_language(CUDA)
    if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake 3.25 knows nvcc's standards up to 17
      set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
      set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
    endif()
    set(CMAKE_CUDA_STANDARD 20)
    find_package(CUDAToolkit 12.8 REQUIRED)
    set(FASTVIDEO_HAS_CUDA ON)
  elseif(FASTVIDEO_BUILD_CUDA_KERNELS STREQUAL "ON")
    message(FATAL_ERROR "FASTVIDEO_BUILD_CUDA_KERNELS is ON and no nvcc is in PATH, CUDA_HOME/bin or /usr/local/cuda/bin")
  endif()
endif()
