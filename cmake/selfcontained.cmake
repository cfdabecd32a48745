# SPDX-License-Identifier: MIT
# leaseherd-agent-static: the agent as one file for hosts that have nothing, not even a C library. It is part of every
# ordinary build whose machine has the archives; a build that leaves it out says why.

function(selfcontained_left_out why)
    message(WARNING "leaseherd-agent-static is left out: ${why}. "
                    "deploy/fleet needs it; everything else is built.")
endfunction()

# The archives, in `out`, or the names of those that are missing, in `out_missing`.
function(selfcontained_archives out out_missing)
    set(found)
    set(missing)
    # What ZeroMQ's archive needs differs with how it was built, hence the second list.
    foreach(name protobuf-c yaml jansson zmq sodium cap seccomp stdc++ m c)
        find_library(archive_${name} NAMES lib${name}.a PATHS ${selfcontained_gcc_dir})
        mark_as_advanced(archive_${name})
        if(archive_${name})
            list(APPEND found -l${name})
        else()
            list(APPEND missing lib${name}.a)
        endif()
    endforeach()
    foreach(name pgm norm protokit bsd md unwind lzma)
        find_library(archive_${name} NAMES lib${name}.a)
        mark_as_advanced(archive_${name})
        if(archive_${name})
            list(APPEND found -l${name})
        endif()
    endforeach()
    set(${out} ${found} PARENT_SCOPE)
    set(${out_missing} ${missing} PARENT_SCOPE)
endfunction()

function(add_selfcontained_agent)
    if(CMAKE_C_FLAGS MATCHES "-fsanitize")
        return() # sanitizers need the C library to be shared
    endif()
    # libstdc++.a lives with the compiler.
    execute_process(COMMAND ${CMAKE_C_COMPILER} -print-file-name=libstdc++.a
                    OUTPUT_VARIABLE path OUTPUT_STRIP_TRAILING_WHITESPACE)
    get_filename_component(selfcontained_gcc_dir "${path}" DIRECTORY)
    selfcontained_archives(archives missing)
    if(missing)
        list(JOIN missing " " missing)
        selfcontained_left_out("this machine lacks ${missing}")
        return()
    endif()

    # Symbols of archives that nobody calls go; debug information stays with leaseherd-agent.
    set(options -static-pie -Wl,--gc-sections -Wl,--strip-debug -Wl,-z,relro,-z,now)
    set(own ${PROJECT_SOURCE_DIR}/agent/selfcontained/names.c)
    find_path(gssapi_header gssapi/gssapi.h)
    mark_as_advanced(gssapi_header)
    if(gssapi_header)
        list(APPEND own ${PROJECT_SOURCE_DIR}/agent/selfcontained/no_gssapi.c)
    endif()
    set(libraries -Wl,--start-group ${archives} -Wl,--end-group)
    try_compile(LEASEHERD_CAN_LINK_STATIC
                SOURCE_FROM_CONTENT probe.c
                "#include <zmq.h>\nint main(void) { return zmq_ctx_new() == NULL; }\n"
                SOURCES ${own}
                COMPILE_DEFINITIONS -D_GNU_SOURCE -fPIE
                LINK_OPTIONS ${options} LINK_LIBRARIES ${libraries}
                OUTPUT_VARIABLE output)
    if(NOT LEASEHERD_CAN_LINK_STATIC)
        string(REGEX MATCH "undefined reference to [^\n]*|cannot find [^\n]*" reason "${output}")
        selfcontained_left_out("the archives of this machine do not link (${reason})")
        return()
    endif()

    # The linker warns of getaddrinfo and others that look for shared libraries at run time. Names are taken care of in
    # names.c; the others are ZeroMQ's, for transports that are not used.
    add_executable(leaseherd-agent-static agent/main.c ${own})
    set(modules agent_world agent_eye_without agent_core common_edge proto_core common_core control_pb)
    target_include_directories(leaseherd-agent-static PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_options(leaseherd-agent-static PRIVATE ${options})
    # By file: their own idea of what they need is the shared libraries.
    foreach(module ${modules})
        add_dependencies(leaseherd-agent-static ${module})
        list(APPEND files $<TARGET_FILE:${module}>)
    endforeach()
    target_link_libraries(leaseherd-agent-static PRIVATE warnings
        -Wl,--start-group ${files} -Wl,--end-group ${libraries})
    set_property(TARGET leaseherd-agent-static PROPERTY LINK_DEPENDS ${files})
endfunction()
