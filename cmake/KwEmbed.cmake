# kw_embed(OUTPUT_VARIABLE FUNCTION ns::name FILES file... [STEMS_BELOW folder]): a generated .cpp that defines
#   std::span<const kw::EmbeddedFile> ns::name()
# over the files, sorted by path. A file is called by its name, or, with STEMS_BELOW, by its path below that
# folder without the ending. Nothing is read at run time, and no Python is needed to build.
if(NOT CMAKE_SCRIPT_MODE_FILE)
  set(KW_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})
  function(kw_embed output_variable)
    cmake_parse_arguments(ARG "" "FUNCTION;STEMS_BELOW" "FILES" ${ARGN})
    list(TRANSFORM ARG_FILES PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
    if(ARG_STEMS_BELOW)
      set(ARG_STEMS_BELOW ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_STEMS_BELOW})
    endif()
    list(SORT ARG_FILES)
    string(MAKE_C_IDENTIFIER ${ARG_FUNCTION} id)
    set(output ${CMAKE_CURRENT_BINARY_DIR}/${id}.cpp)
    string(REPLACE ";" "|" files "${ARG_FILES}")
    add_custom_command(
      OUTPUT ${output}
      COMMAND ${CMAKE_COMMAND} -DOUTPUT=${output} -DFUNCTION=${ARG_FUNCTION} "-DFILES=${files}"
              -DSTEMS_BELOW=${ARG_STEMS_BELOW} -P ${KW_EMBED_SCRIPT}
      DEPENDS ${ARG_FILES} ${KW_EMBED_SCRIPT}
      COMMENT "Embedding ${ARG_FUNCTION}"
      VERBATIM)
    set(${output_variable} ${output} PARENT_SCOPE)
  endfunction()
  return()
endif()

string(REPLACE "|" ";" FILES "${FILES}")
string(REGEX REPLACE "::[^:]*$" "" namespace ${FUNCTION})
string(REGEX REPLACE "^.*::" "" name ${FUNCTION})
set(body "")
foreach(file ${FILES})
  file(READ ${file} text)
  string(FIND "${text}" ")kw\"" clash)
  if(NOT clash EQUAL -1)
    message(FATAL_ERROR "${file} contains the end of a raw string")
  endif()
  if(STEMS_BELOW)
    file(RELATIVE_PATH base ${STEMS_BELOW} ${file})
    string(REGEX REPLACE "\\.[^./]*$" "" base ${base})
  else()
    get_filename_component(base ${file} NAME)
  endif()
  # Raw strings are cut well below the length that compilers must accept.
  string(LENGTH "${text}" length)
  set(position 0)
  set(literal "")
  while(position LESS length)
    string(SUBSTRING "${text}" ${position} 12000 piece)
    string(APPEND literal "\nR\"kw(${piece})kw\"")
    math(EXPR position "${position} + 12000")
  endwhile()
  if(literal STREQUAL "")
    set(literal "\"\"")
  endif()
  # With a suffix the length is known: without one it would be counted in a constant expression, whose
  # steps compilers limit.
  string(APPEND body "    {\"${base}\",${literal}sv},\n")
endforeach()
file(WRITE ${OUTPUT} "// Made by KwEmbed.cmake.
#include <span>

#include \"kw/core/embedded.h\"

namespace ${namespace} {
std::span<const kw::EmbeddedFile> ${name}();
std::span<const kw::EmbeddedFile> ${name}() {
  using namespace std::string_view_literals;
  static constexpr kw::EmbeddedFile kFiles[] = {
${body}  };
  return kFiles;
}
}  // namespace ${namespace}
")
