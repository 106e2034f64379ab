# embed(target file symbol): the bytes of a file as `const unsigned char symbol[]`
# and `const size_t symbol_size`, declared in "generated/<symbol>.h".
function(embed target file symbol)
    set(dir ${PROJECT_BINARY_DIR}/generated)
    set(assembly ${dir}/${symbol}.S) # preprocessed, so that no flag is unused
    file(WRITE ${dir}/${symbol}.h
"#pragma once
#include <stddef.h>
extern const unsigned char ${symbol}[];
extern const size_t ${symbol}_size;
")
    file(WRITE ${assembly}
"    .section .rodata
    .global ${symbol}
    .global ${symbol}_size
${symbol}:
    .incbin \"${file}\"
1:
    .balign 8
${symbol}_size:
    .quad 1b - ${symbol}
    .section .note.GNU-stack,\"\",%progbits
")
    target_sources(${target} PRIVATE ${assembly})
    set_source_files_properties(${assembly} PROPERTIES LANGUAGE ASM OBJECT_DEPENDS ${file} COMPILE_OPTIONS "")
    target_include_directories(${target} PRIVATE ${PROJECT_BINARY_DIR})
endfunction()
