# alignsae_library(NAME gpt2 SRCS a.cc DEPS base [TORCH] [GRPC]) -> alignsae::gpt2
# alignsae_test(NAME gpt2_test SRCS a_test.cc DEPS gpt2 [LABELS unit] [TORCH] [OPTIMIZED] [THREADS])
#
# THREADS: it, or what it tests, has threads of its own. tests/run_sanitized.sh builds these
# alone (target thread_tests, label threads) under ThreadSanitizer.
#
# A test's own sources are compiled without optimisation, which saves two fifths of their
# time; OPTIMIZED is for those that compute much themselves. What they test is optimised.
#
# DEPS are names of our own libraries without the alignsae:: prefix, or full
# names (absl::status). TORCH links LibTorch. TORCH and GRPC choose the precompiled
# header; sources still include what they use.

# <ATen/ATen.h> costs 7 s a file, gRPC 4 s, gmock 2 s. The full <torch/torch.h> would
# double the torch one (its 650 MB are read and walked for every file).
function(alignsae_pch name)
  cmake_parse_arguments(ARG "" "" "HEADERS;LINK" ${ARGN})
  file(WRITE ${CMAKE_BINARY_DIR}/pch/${name}.cc "")
  add_library(alignsae_pch_${name} OBJECT ${CMAKE_BINARY_DIR}/pch/${name}.cc)
  target_link_libraries(alignsae_pch_${name} PRIVATE ${ARG_LINK} alignsae_warnings)
  target_precompile_headers(alignsae_pch_${name} PRIVATE ${ARG_HEADERS})
endfunction()

set(gmock_headers <gmock/gmock.h> <gtest/gtest.h> <nlohmann/json.hpp>)
if(ALIGNSAE_TORCH)
  alignsae_pch(torch HEADERS <ATen/ATen.h> <nlohmann/json.hpp>
    LINK alignsae_torch nlohmann_json::nlohmann_json)
endif()
if(ALIGNSAE_SERVER AND ALIGNSAE_GRPC)
  alignsae_pch(grpc HEADERS <grpcpp/grpcpp.h> LINK gRPC::grpc++)
endif()
if(ALIGNSAE_TESTS)
  set(test_options -O0 -U_FORTIFY_SOURCE)
  add_custom_target(thread_tests)
  alignsae_pch(test HEADERS ${gmock_headers} LINK GTest::gmock nlohmann_json::nlohmann_json)
  if(ALIGNSAE_TORCH)
    alignsae_pch(torch_test HEADERS <ATen/ATen.h> ${gmock_headers}
      LINK alignsae_torch GTest::gmock nlohmann_json::nlohmann_json)
  endif()
  foreach(name test torch_test)
    if(TARGET alignsae_pch_${name})  # A header serves only files with the same options.
      target_compile_options(alignsae_pch_${name} PRIVATE ${test_options})
    endif()
  endforeach()
endif()

function(alignsae_resolve_deps out)
  set(resolved "")
  foreach(dep IN LISTS ARGN)
    if(dep MATCHES "::" OR NOT TARGET alignsae_${dep})
      list(APPEND resolved ${dep})
    else()
      list(APPEND resolved alignsae_${dep})
    endif()
  endforeach()
  set(${out} ${resolved} PARENT_SCOPE)
endfunction()

# `pch`: torch, grpc, test, torch_test or none.
function(alignsae_configure target pch)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE alignsae_warnings)
  if(pch MATCHES "torch")
    target_link_libraries(${target} PRIVATE alignsae_torch)
  endif()
  if(TARGET alignsae_pch_${pch})
    target_precompile_headers(${target} REUSE_FROM alignsae_pch_${pch})
  endif()
endfunction()

function(alignsae_library)
  cmake_parse_arguments(ARG "TORCH;GRPC" "NAME" "SRCS;DEPS" ${ARGN})
  if(ARG_TORCH AND NOT ALIGNSAE_TORCH)
    return()
  endif()
  set(pch none)
  if(ARG_TORCH)
    set(pch torch)
  elseif(ARG_GRPC)
    set(pch grpc)
  endif()
  alignsae_resolve_deps(deps ${ARG_DEPS})
  if(ARG_SRCS)
    add_library(alignsae_${ARG_NAME} STATIC ${ARG_SRCS})
    target_link_libraries(alignsae_${ARG_NAME} PUBLIC ${deps})
    alignsae_configure(alignsae_${ARG_NAME} ${pch})
  else()
    add_library(alignsae_${ARG_NAME} INTERFACE)
    target_link_libraries(alignsae_${ARG_NAME} INTERFACE ${deps})
  endif()
  add_library(alignsae::${ARG_NAME} ALIAS alignsae_${ARG_NAME})
endfunction()

function(alignsae_binary)
  cmake_parse_arguments(ARG "TORCH;GRPC" "NAME" "SRCS;DEPS" ${ARGN})
  if(ARG_TORCH AND NOT ALIGNSAE_TORCH)
    return()
  endif()
  set(pch none)
  if(ARG_TORCH)
    set(pch torch)
  elseif(ARG_GRPC)
    set(pch grpc)
  endif()
  alignsae_resolve_deps(deps ${ARG_DEPS})
  add_executable(${ARG_NAME} ${ARG_SRCS})
  target_link_libraries(${ARG_NAME} PRIVATE ${deps})
  alignsae_configure(${ARG_NAME} ${pch})
endfunction()

# The same test once more on a GPU, where LibTorch has CUDA
# (tests/support/test_device.h). On a machine without one it is skipped.
function(alignsae_cuda_test name)
  if(NOT TARGET ${name} OR NOT TARGET torch_cuda)
    return()
  endif()
  add_test(NAME ${name}_cuda COMMAND ${name} ${ARGN})
  set_tests_properties(${name}_cuda PROPERTIES LABELS cuda TIMEOUT 600
    ENVIRONMENT "ALIGNSAE_TEST_DEVICE=cuda" SKIP_REGULAR_EXPRESSION "there is no GPU")
endfunction()

function(alignsae_test)
  cmake_parse_arguments(ARG "TORCH;OPTIMIZED;THREADS" "NAME;TIMEOUT" "SRCS;DEPS;LABELS;ARGS" ${ARGN})
  if(NOT ALIGNSAE_TESTS OR (ARG_TORCH AND NOT ALIGNSAE_TORCH))
    return()
  endif()
  foreach(dep IN LISTS ARG_DEPS)
    if(NOT dep MATCHES "::" AND NOT TARGET alignsae_${dep})
      return()  # A part that this configuration does not build.
    endif()
  endforeach()
  alignsae_resolve_deps(deps ${ARG_DEPS})
  add_executable(${ARG_NAME} ${ARG_SRCS})
  target_link_libraries(${ARG_NAME} PRIVATE ${deps} GTest::gmock GTest::gtest GTest::gtest_main)
  set(pch test)
  if(ARG_TORCH)
    set(pch torch_test)
  endif()
  if(ARG_OPTIMIZED)
    string(PREPEND pch optimized_)  # Has no precompiled header.
  else()
    target_compile_options(${ARG_NAME} PRIVATE ${test_options})
  endif()
  alignsae_configure(${ARG_NAME} ${pch})
  target_compile_definitions(${ARG_NAME} PRIVATE
    ALIGNSAE_SOURCE_DIR="${PROJECT_SOURCE_DIR}" ALIGNSAE_BINARY_DIR="${CMAKE_BINARY_DIR}")
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  list(APPEND ARG_LABELS program)
  if(ARG_THREADS)
    list(APPEND ARG_LABELS threads)
    add_dependencies(thread_tests ${ARG_NAME})
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 600)  # Against hanging only: cores may be shared by many.
  endif()
  add_test(NAME ${ARG_NAME} COMMAND ${ARG_NAME} ${ARG_ARGS})
  set_tests_properties(${ARG_NAME} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT})
endfunction()
