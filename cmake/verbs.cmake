# SPDX-License-Identifier: MIT
# The build's vocabulary: glob_sources, add_module.

add_library(warnings INTERFACE)
target_compile_options(warnings INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes
    -Wmissing-prototypes -Wswitch-enum -Wcast-qual -Wformat=2 -Wundef -Wvla -Wwrite-strings
    -Wnull-dereference -Wimplicit-fallthrough -Werror)
# Asserts guard our own invariants and stay on in every build.
target_compile_options(warnings INTERFACE -UNDEBUG)
target_compile_definitions(warnings INTERFACE _GNU_SOURCE
    LEASEHERD_VERSION="${PROJECT_VERSION}")

# Every .c of the folders named, relative to the root; new files are seen by the next build.
function(glob_sources out)
    set(found)
    foreach(dir ${ARGN})
        file(GLOB sources RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS
             ${PROJECT_SOURCE_DIR}/${dir}/*.c)
        list(APPEND found ${sources})
    endforeach()
    set(${out} ${found} PARENT_SCOPE)
endfunction()

function(add_module name)
    cmake_parse_arguments(arg "" "" "SOURCES;USES" ${ARGN})
    add_library(${name} STATIC ${arg_SOURCES})
    target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
    target_link_libraries(${name} PUBLIC ${arg_USES} PRIVATE warnings)
endfunction()
