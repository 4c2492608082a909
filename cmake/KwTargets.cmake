# kw_library(), kw_test(): the only ways this project makes targets.

add_library(kw_flags INTERFACE)
target_compile_options(kw_flags INTERFACE -Wall -Wextra -Wconversion -Wshadow -Werror -fno-math-errno
                                          -ffp-contract=off)
target_compile_definitions(kw_flags INTERFACE JSON_USE_IMPLICIT_CONVERSIONS=0)
if(KW_SANITIZE)
  target_compile_options(kw_flags INTERFACE -fsanitize=${KW_SANITIZE} -fno-omit-frame-pointer
                                            -fno-sanitize-recover=undefined)
  target_link_options(kw_flags INTERFACE -fsanitize=${KW_SANITIZE})
endif()

if(KW_BUILD_FUZZ)
  target_compile_options(kw_flags INTERFACE -fsanitize=fuzzer-no-link)  # coverage in every library
endif()

find_program(KW_CCACHE ccache)
if(KW_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${KW_CCACHE})
endif()

# kw_library(NAME SOURCES ... [PUBLIC deps...] [PRIVATE deps...]): a static library whose public headers
# are include/kw/... beside its CMakeLists.txt. One file is generated for each public header to prove
# that it compiles alone.
function(kw_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/include
                             PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src)
  target_link_libraries(${name} PUBLIC ${ARG_PUBLIC} PRIVATE kw_flags ${ARG_PRIVATE})
  if(KW_BUILD_TESTS)
    file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/include/*.h)
    set(alone "")
    foreach(header ${headers})
      file(RELATIVE_PATH relative ${CMAKE_CURRENT_SOURCE_DIR}/include ${header})
      string(MAKE_C_IDENTIFIER ${relative} id)
      set(file ${CMAKE_CURRENT_BINARY_DIR}/header_alone/${id}.cpp)
      if(NOT EXISTS ${file})
        file(WRITE ${file} "#include \"${relative}\"\n#include \"${relative}\"\n")
      endif()
      list(APPEND alone ${file})
    endforeach()
    if(alone)
      add_library(${name}_headers_alone OBJECT ${alone})
      target_link_libraries(${name}_headers_alone PRIVATE ${name} kw_flags)
      target_compile_options(${name}_headers_alone PRIVATE -fsyntax-only)
    endif()
  endif()
endfunction()

# The test programs that the sanitizer presets build: foreign text, stored bytes and the wire under
# AddressSanitizer, threads under ThreadSanitizer.
add_custom_target(sanitize_memory)
add_custom_target(sanitize_threads)
# The programs labelled gpu, which scripts/gpu packs for a machine that has one.
add_custom_target(gpu_tests)

# kw_test(NAME SOURCES ... [LIBS deps...] [LABELS unit|gpu|slow|e2e] [SANITIZE memory threads] [TIMEOUT s]):
# a GoogleTest program; each TEST is one CTest test. A program without tests is an error.
function(kw_test name)
  cmake_parse_arguments(ARG "OWN_MAIN" "TIMEOUT" "SOURCES;LIBS;LABELS;SANITIZE" ${ARGN})
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE kw_flags ${ARG_LIBS} GTest::gmock GTest::gtest)
  if(NOT ARG_OWN_MAIN)  # a program that registers process roles brings its own main
    target_link_libraries(${name} PRIVATE GTest::gtest_main)
  endif()
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_compile_definitions(${name} PRIVATE KW_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  if("gpu" IN_LIST ARG_LABELS)
    add_dependencies(gpu_tests ${name})
  endif()
  foreach(kind ${ARG_SANITIZE})
    add_dependencies(sanitize_${kind} ${name})
    list(APPEND ARG_LABELS sanitize_${kind})
  endforeach()
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60
                       PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT})
endfunction()
