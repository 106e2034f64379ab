# The reference, made from the program's own tables, and what `cmake --install` installs.
include(GNUInstallDirs)

add_executable(reference docker/man/reference.c)
target_compile_definitions(reference PRIVATE VERSION="${PROJECT_VERSION}")
target_link_libraries(reference PRIVATE settings)

set(made_dir ${PROJECT_BINARY_DIR}/man)
foreach(page vmsnapd.8 vmsnapd.bash vmsnapd.default)
    add_custom_command(
        OUTPUT ${made_dir}/${page}
        COMMAND ${CMAKE_COMMAND} -E make_directory ${made_dir}
        COMMAND reference ${PROJECT_SOURCE_DIR}/docker/man/${page}.in > ${made_dir}/${page}
        DEPENDS reference ${PROJECT_SOURCE_DIR}/docker/man/${page}.in)
    list(APPEND pages ${made_dir}/${page})
endforeach()
add_custom_command(
    OUTPUT ${made_dir}/vmsnapd.8.gz
    COMMAND gzip -9 -n -c ${made_dir}/vmsnapd.8 > ${made_dir}/vmsnapd.8.gz
    DEPENDS ${made_dir}/vmsnapd.8)
add_custom_target(pages ALL DEPENDS ${pages} ${made_dir}/vmsnapd.8.gz)

# The units, as the prefix and the systemd of this build want them: before 253, it had no reload that
# waits for the service to say that it is done.
foreach(unit vmsnapd.service vmsnapd.socket)
    file(READ docker/${unit} text)
    string(REPLACE /usr/sbin ${CMAKE_INSTALL_FULL_SBINDIR} text "${text}")
    string(REPLACE /etc ${CMAKE_INSTALL_FULL_SYSCONFDIR} text "${text}")
    if(SYSTEMD_VERSION VERSION_LESS 253)
        string(REPLACE Type=notify-reload "Type=notify\nExecReload=kill -HUP $MAINPID" text "${text}")
    endif()
    file(WRITE ${made_dir}/${unit} "${text}")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS docker/${unit})
endforeach()

install(TARGETS vmsnapd RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR} COMPONENT service)
install(FILES ${made_dir}/vmsnapd.8.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man8 COMPONENT host)
install(FILES ${made_dir}/vmsnapd.bash RENAME vmsnapd
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT host)
install(FILES ${made_dir}/vmsnapd.default RENAME vmsnapd
    DESTINATION ${CMAKE_INSTALL_FULL_SYSCONFDIR}/default COMPONENT host)
install(FILES ${made_dir}/vmsnapd.service ${made_dir}/vmsnapd.socket DESTINATION lib/systemd/system COMPONENT host)
foreach(kind sysusers tmpfiles)
    install(FILES docker/debian/${kind}.conf RENAME vmsnapd.conf DESTINATION lib/${kind}.d COMPONENT host)
endforeach()
install(FILES README.md openapi.yaml DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT host)
install(FILES LICENSE RENAME copyright DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT host)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "The vmsnapd authors <vmsnapd@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "keeps snapshots of OpenVMM virtual machines")
set(CPACK_PACKAGE_DESCRIPTION "A host service that makes, checks and removes snapshots of OpenVMM virtual
 machines, and serves them over one HTTP API.")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS
    "init-system-helpers (>= 1.54), procps, systemd")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
foreach(script postinst prerm postrm conffiles)
    list(APPEND CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${PROJECT_SOURCE_DIR}/docker/debian/${script})
endforeach()
include(CPack)
