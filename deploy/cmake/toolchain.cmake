# Compiler launcher, linker, warnings and sanitizers, for our own code only.

find_program(ALIGNSAE_CCACHE ccache)
if(ALIGNSAE_CCACHE)
  # pch_defines and time_macros are what ccache asks for to cache files that use
  # a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} ${ALIGNSAE_CCACHE})
endif()

find_program(ALIGNSAE_MOLD mold)
if(ALIGNSAE_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# Everywhere, because a precompiled header serves only files with the same flag.
add_compile_options(-pthread)

add_library(alignsae_warnings INTERFACE)
target_compile_options(alignsae_warnings INTERFACE
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Werror
  # LibTorch's macros and protobuf's generated constructors trip this one.
  -Wno-unused-parameter)
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  target_compile_options(alignsae_warnings INTERFACE -Wthread-safety)
  if(CMAKE_UNITY_BUILD)
    # It takes an alias of another source of the unit for one that is meant. GCC judges.
    target_compile_options(alignsae_warnings INTERFACE -Wno-shadow)
  endif()
else()
  # ccache needs this beside a precompiled header.
  target_compile_options(alignsae_warnings INTERFACE -fpch-preprocess)
  if(CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 13)
    # Warns of references that a function took out of its other argument.
    target_compile_options(alignsae_warnings INTERFACE -Wno-dangling-reference)
  endif()
  if(CMAKE_UNITY_BUILD)
    # GCC takes a source that another one includes for a header.
    target_compile_options(alignsae_warnings INTERFACE -Wno-subobject-linkage)
  endif()
endif()

# Against what a fault in memory could be used for: a smashed stack and a wrong length of a
# libc call end the process, addresses of functions are read-only after the start, jumps land
# where jumps may. (_FORTIFY_SOURCE needs optimised code and is the sanitizers' rival.)
add_compile_options(-fstack-protector-strong)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  add_compile_options(-fcf-protection)
endif()
if(NOT ALIGNSAE_SANITIZE)
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()
add_compile_options(-fPIE)
add_link_options(-pie LINKER:-z,relro,-z,now)

if(ALIGNSAE_SANITIZE)
  add_compile_options(-fsanitize=${ALIGNSAE_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${ALIGNSAE_SANITIZE})
endif()
