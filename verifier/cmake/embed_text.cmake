# cmake -DOUTPUT=file.cpp -DSYMBOL=name -DINPUTS=a;b -P embed_text.cmake
# Joins text files into `const char* const kw::verify::SYMBOL` (device sources given to NVRTC). Raw
# strings are cut well below the length that compilers must accept. Lines that include a header are left
# out: the pieces stand in one text, in order.
set(literal "")
foreach(input ${INPUTS})
  file(READ ${input} text)
  string(REGEX REPLACE "\n#include [^\n]*" "" text "${text}")
  string(FIND "${text}" ")kw\"" clash)
  if(NOT clash EQUAL -1)
    message(FATAL_ERROR "${input} contains the end of a raw string")
  endif()
  string(LENGTH "${text}" length)
  set(position 0)
  while(position LESS length)
    string(SUBSTRING "${text}" ${position} 12000 piece)
    string(APPEND literal "    R\"kw(${piece})kw\"\n")
    math(EXPR position "${position} + 12000")
  endwhile()
endforeach()
file(WRITE ${OUTPUT} "// Made by embed_text.cmake.\n\nnamespace kw::verify {\nextern const char* const ${SYMBOL};\nconst char* const ${SYMBOL} =\n${literal};\n}  // namespace kw::verify\n")
