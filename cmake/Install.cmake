# What `cmake --install` installs.
include(GNUInstallDirs)

install(TARGETS vmsnapd RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR} COMPONENT service)
