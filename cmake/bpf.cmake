# SPDX-License-Identifier: MIT
# The observer's kernel program (agent/observer/bpf), built where clang, bpftool and libbpf are: -DWITH_BPF=AUTO, ON
# (their absence is an error) or OFF. One object serves all kernels that describe themselves (BTF).

set(WITH_BPF AUTO CACHE STRING "the observer's kernel program: AUTO, ON or OFF")

# Modules agent_eye, for the programs that link shared libraries, and agent_eye_without.
function(add_agent_eye)
    add_module(agent_eye_without SOURCES agent/observer/bpf/eye_without.c USES proto_core)
    find_program(BPF_CLANG NAMES clang clang-14)
    find_program(BPF_TOOL NAMES bpftool PATHS /usr/sbin)
    find_program(BPF_STRIP NAMES llvm-strip llvm-strip-14 PATHS /usr/lib/llvm-14/bin)
    mark_as_advanced(BPF_CLANG BPF_TOOL BPF_STRIP)
    pkg_check_modules(libbpf IMPORTED_TARGET libbpf>=1.0)
    set(arch_x86_64 x86)
    set(arch_aarch64 arm64)
    set(arch ${arch_${CMAKE_SYSTEM_PROCESSOR}})
    if(WITH_BPF STREQUAL "OFF" OR NOT (BPF_CLANG AND BPF_TOOL AND BPF_STRIP AND libbpf_FOUND AND arch))
        if(WITH_BPF STREQUAL "ON")
            message(FATAL_ERROR "WITH_BPF=ON needs clang, llvm-strip, bpftool and libbpf on x86_64 or aarch64")
        endif()
        message(STATUS "observer: without its kernel program")
        add_module(agent_eye SOURCES agent/observer/bpf/eye_without.c USES proto_core)
        return()
    endif()

    set(dir ${PROJECT_BINARY_DIR}/generated)
    set(source ${PROJECT_SOURCE_DIR}/agent/observer/bpf)
    add_custom_command(
        OUTPUT ${dir}/server_eye.skel.h
        COMMAND ${CMAKE_COMMAND} -E make_directory ${dir}
        COMMAND ${BPF_CLANG} -O2 -g -target bpf -D__TARGET_ARCH_${arch} -Wall -Wextra -Werror -Wno-unused-parameter
                -I${PROJECT_SOURCE_DIR} -I/usr/include/${CMAKE_LIBRARY_ARCHITECTURE} -c ${source}/server_eye.bpf.c -o ${dir}/server_eye.o
        COMMAND ${BPF_STRIP} -g ${dir}/server_eye.o
        COMMAND ${BPF_TOOL} gen skeleton ${dir}/server_eye.o name server_eye > ${dir}/server_eye.skel.h
        DEPENDS ${source}/server_eye.bpf.c ${source}/server_eye.h VERBATIM)
    add_library(server_eye INTERFACE)
    target_include_directories(server_eye SYSTEM INTERFACE ${dir})
    add_custom_target(server_eye_skeleton DEPENDS ${dir}/server_eye.skel.h)
    add_module(agent_eye SOURCES agent/observer/bpf/eye.c USES proto_core server_eye PkgConfig::libbpf)
    add_dependencies(agent_eye server_eye_skeleton)
endfunction()
