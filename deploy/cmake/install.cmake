# cmake --install BUILD: the programs, and what each says of itself: its manual
# page and its words for bash, zsh and fish, where those look for them.
include(GNUInstallDirs)

foreach(program alignsae alignsae-load alignsae-server alignsae-train)
  if(NOT TARGET ${program})
    continue()
  endif()
  install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  foreach(text "--man=man/man1/${program}.1"
               "--completion bash=bash-completion/completions/${program}"
               "--completion zsh=zsh/site-functions/_${program}"
               "--completion fish=fish/vendor_completions.d/${program}.fish")
    string(REGEX MATCH "^([^=]*)=(.*)$" unused ${text})
    string(REPLACE " " "=" flag ${CMAKE_MATCH_1})
    set(place "\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/${CMAKE_MATCH_2}")
    install(CODE "
      get_filename_component(folder \"${place}\" DIRECTORY)
      file(MAKE_DIRECTORY \"\${folder}\")
      execute_process(COMMAND \"$<TARGET_FILE:${program}>\" ${flag} OUTPUT_FILE \"${place}\"
                      COMMAND_ERROR_IS_FATAL ANY)
      message(STATUS \"Installing: ${place}\")")
  endforeach()
endforeach()
