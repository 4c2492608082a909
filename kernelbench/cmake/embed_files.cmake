# cmake -DOUTPUT=file.cpp -DFOLDER=folder -DEXTENSION=json -DFUNCTION=embedded_tasks -P embed_files.cmake
# Turns every file of FOLDER (and of its subfolders) with the extension into one C++ table, sorted by
# name. Raw strings are cut well below the length that compilers must accept.
file(GLOB_RECURSE files RELATIVE ${FOLDER} ${FOLDER}/*.${EXTENSION})
list(SORT files)
set(body "")
foreach(file ${files})
  file(READ ${FOLDER}/${file} text)
  string(FIND "${text}" ")kw\"" clash)
  if(NOT clash EQUAL -1)
    message(FATAL_ERROR "${file} contains the end of a raw string")
  endif()
  string(REGEX REPLACE "\\.${EXTENSION}$" "" name ${file})
  string(LENGTH "${text}" length)
  set(position 0)
  set(literal "")
  while(position LESS length)
    string(SUBSTRING "${text}" ${position} 16000 piece)
    string(APPEND literal "R\"kw(${piece})kw\"\n")
    math(EXPR position "${position} + 16000")
  endwhile()
  if(literal STREQUAL "")
    set(literal "\"\"")
  endif()
  string(APPEND body "    {\"${name}\",\n${literal}},\n")
endforeach()
file(WRITE ${OUTPUT} "// Made by embed_files.cmake.
#include \"embedded.h\"

namespace kw::bench {
namespace {
constexpr EmbeddedFile kTable[] = {
${body}};
}  // namespace

std::span<const EmbeddedFile> ${FUNCTION}() { return kTable; }
}  // namespace kw::bench
")
