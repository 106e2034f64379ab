# The reference, made from the program's own tables, and what `cmake --install` installs.
include(GNUInstallDirs)

add_executable(reference man/reference.c)
target_compile_definitions(reference PRIVATE VERSION="${PROJECT_VERSION}")
target_link_libraries(reference PRIVATE settings)

set(reference_dir ${PROJECT_BINARY_DIR}/man)
foreach(page vmsnapd.8 vmsnapd.bash)
    add_custom_command(
        OUTPUT ${reference_dir}/${page}
        COMMAND ${CMAKE_COMMAND} -E make_directory ${reference_dir}
        COMMAND reference ${PROJECT_SOURCE_DIR}/man/${page}.in > ${reference_dir}/${page}
        DEPENDS reference ${PROJECT_SOURCE_DIR}/man/${page}.in)
    list(APPEND pages ${reference_dir}/${page})
endforeach()
add_custom_target(pages ALL DEPENDS ${pages})

install(TARGETS vmsnapd RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR} COMPONENT service)
install(FILES ${reference_dir}/vmsnapd.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8 COMPONENT host)
install(FILES ${reference_dir}/vmsnapd.bash RENAME vmsnapd
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT host)
install(FILES README.md openapi.yaml DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT host)
