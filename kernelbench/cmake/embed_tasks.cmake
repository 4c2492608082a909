# cmake -DOUTPUT=file.cpp -DTASKS=folder -P embed_tasks.cmake
# Turns every *.json below TASKS into one C++ table, sorted by name. Raw strings are cut well below the
# length that compilers must accept.
file(GLOB files RELATIVE ${TASKS} ${TASKS}/*.json)
list(SORT files)
set(body "")
foreach(file ${files})
  file(READ ${TASKS}/${file} text)
  string(FIND "${text}" ")kw\"" clash)
  if(NOT clash EQUAL -1)
    message(FATAL_ERROR "${file} contains the end of a raw string")
  endif()
  string(REGEX REPLACE "\\.json$" "" name ${file})
  string(LENGTH "${text}" length)
  set(position 0)
  set(literal "")
  while(position LESS length)
    string(SUBSTRING "${text}" ${position} 16000 piece)
    string(APPEND literal "R\"kw(${piece})kw\"\n")
    math(EXPR position "${position} + 16000")
  endwhile()
  string(APPEND body "    {\"${name}\",\n${literal}},\n")
endforeach()
file(WRITE ${OUTPUT} "// Made by embed_tasks.cmake.
#include \"task_table.h\"

namespace kw::bench {
namespace {
constexpr EmbeddedTask kTable[] = {
${body}};
}  // namespace

std::span<const EmbeddedTask> embedded_tasks() { return kTable; }
}  // namespace kw::bench
")
