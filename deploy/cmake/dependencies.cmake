# Every third-party package, from Debian 12 (deploy/install-packages.sh).

find_package(Threads REQUIRED)
find_package(absl REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(CLI11 REQUIRED)
# Debian's package has no file for CMake.
find_path(UTF8PROC_INCLUDE_DIR utf8proc.h REQUIRED)
find_library(UTF8PROC_LIBRARY utf8proc REQUIRED)
add_library(alignsae_utf8proc INTERFACE)
target_include_directories(alignsae_utf8proc SYSTEM INTERFACE ${UTF8PROC_INCLUDE_DIR})
target_link_libraries(alignsae_utf8proc INTERFACE ${UTF8PROC_LIBRARY})

if(ALIGNSAE_SERVER)
  find_package(Protobuf REQUIRED)
  if(ALIGNSAE_GRPC)
    find_package(gRPC CONFIG REQUIRED)
  endif()
  find_package(prometheus-cpp CONFIG REQUIRED)
  find_package(spdlog REQUIRED)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(httplib REQUIRED IMPORTED_TARGET cpp-httplib)
  find_package(ZLIB REQUIRED)
endif()

if(ALIGNSAE_TESTS)
  find_package(GTest REQUIRED)
endif()

if(ALIGNSAE_TORCH)
  find_package(Torch REQUIRED)
  # Not find_package(dnnl): Debian's package file asks for OpenCL's headers too. Not
  # by CMAKE_PREFIX_PATH: see below.
  find_path(DNNL_INCLUDE_DIR dnnl.hpp REQUIRED NO_CMAKE_PATH)
  find_library(DNNL_LIBRARY dnnl REQUIRED)
  add_library(alignsae_dnnl INTERFACE)
  target_include_directories(alignsae_dnnl SYSTEM INTERFACE ${DNNL_INCLUDE_DIR})
  target_link_libraries(alignsae_dnnl INTERFACE ${DNNL_LIBRARY})
  # SYSTEM headers, so that our warnings stay ours.
  add_library(alignsae_torch INTERFACE)
  if(Torch_VERSION VERSION_GREATER_EQUAL 2)
    # It brings headers of a oneDNN whose library it hides in its own: those of the
    # library that we link come first.
    file(GLOB dnnl_headers ${DNNL_INCLUDE_DIR}/dnnl*.h*)
    file(COPY ${dnnl_headers} ${DNNL_INCLUDE_DIR}/oneapi DESTINATION ${CMAKE_BINARY_DIR}/dnnl
      FILES_MATCHING PATTERN "dnnl*.h*")
    target_include_directories(alignsae_torch SYSTEM INTERFACE ${CMAKE_BINARY_DIR}/dnnl)
    # PyTorch's libraries export a std::filesystem of another libstdc++, whose remove_all()
    # calls address 0. What is named first is found first.
    target_link_libraries(alignsae_torch INTERFACE stdc++)
  endif()
  target_include_directories(alignsae_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
  target_link_libraries(alignsae_torch INTERFACE ${TORCH_LIBRARIES})
  if(TARGET torch_cuda)  # Then CUDA's headers are there too.
    target_compile_definitions(alignsae_torch INTERFACE ALIGNSAE_CUDA)
  endif()
  separate_arguments(alignsae_torch_flags UNIX_COMMAND "${TORCH_CXX_FLAGS}")
  target_compile_options(alignsae_torch INTERFACE ${alignsae_torch_flags})
  # at::parallel_for is a header: without this it runs on one thread. GCC's libgomp is
  # what LibTorch and oneDNN link; Clang would bring a second OpenMP runtime.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    find_package(OpenMP REQUIRED)
    target_link_libraries(alignsae_torch INTERFACE OpenMP::OpenMP_CXX)
  endif()
endif()
