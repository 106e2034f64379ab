# The only place of -W and -f.
option(WERROR "Fail on warnings" OFF)
set(SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize takes them: address,undefined")
option(FUZZ "Build fuzz targets with libFuzzer" OFF)
option(HARDEN "Harden the binary and optimise it as a whole" OFF)

add_compile_definitions(_GNU_SOURCE)
add_compile_options(
    "$<$<COMPILE_LANGUAGE:C>:-Wall;-Wextra;-Wshadow;-Wconversion;-Wstrict-prototypes;-Wmissing-prototypes>"
    "$<$<COMPILE_LANGUAGE:C>:-Wpointer-arith;-Wformat=2;-Wvla;-Wundef;-Wno-missing-field-initializers>"
    "$<$<COMPILE_LANGUAGE:C>:-fno-common;-fvisibility=hidden;-fstack-protector-strong>")
if(WERROR)
    add_compile_options("$<$<COMPILE_LANGUAGE:C>:-Werror>")
endif()
if(SANITIZE)
    add_compile_definitions(SANITIZED) # for tests that measure memory
    add_compile_options("$<$<COMPILE_LANGUAGE:C>:-fsanitize=${SANITIZE};-fno-omit-frame-pointer;-fno-sanitize-recover=all>")
    add_link_options(-fsanitize=${SANITIZE})
endif()
if(HARDEN)
    add_compile_options("$<$<COMPILE_LANGUAGE:C>:-flto=auto;-D_FORTIFY_SOURCE=2;-fstack-clash-protection;-fPIE>")
    add_link_options(-flto=auto -pie -Wl,-z,relro,-z,now,-z,noexecstack)
endif()
