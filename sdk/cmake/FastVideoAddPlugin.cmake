# fastvideo_add_plugin(FOLDER [LIBRARY name] SOURCES files... [LINK targets...] [DATA files...])
#
# Builds one library of the plugin folder FOLDER (target and library are named FOLDER unless LIBRARY says otherwise) and
# puts it, the plugin.toml of the current source directory and DATA beside each other in
# ${FASTVIDEO_PLUGIN_OUTPUT_DIR}/FOLDER (default: plugins/ in the build directory). Call it once for each library.
# The library exports fastvideo_plugin and nothing else, resolves everything when it is opened, shares no inline statics
# with other plugins and carries no path of the machine it was built on.
function(fastvideo_add_plugin folder)
  cmake_parse_arguments(ARG "" "LIBRARY" "SOURCES;LINK;DATA" ${ARGN})
  if(NOT ARG_SOURCES)
    message(FATAL_ERROR "fastvideo_add_plugin(${folder}): name its SOURCES")
  endif()
  set(target "${ARG_LIBRARY}")
  if(NOT target)
    set(target "${folder}")
  endif()
  set(output "${FASTVIDEO_PLUGIN_OUTPUT_DIR}")
  if(NOT output)
    set(output "${CMAKE_BINARY_DIR}/plugins")
  endif()

  add_library(${target} MODULE ${ARG_SOURCES})
  target_link_libraries(${target} PRIVATE fastvideo::sdk ${ARG_LINK})
  target_compile_features(${target} PRIVATE cxx_std_20)
  set(map "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/fastvideo_plugin.map")
  set_target_properties(${target} PROPERTIES
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LIBRARY_OUTPUT_DIRECTORY "${output}/${folder}" LINK_DEPENDS "${map}"
    BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH "$ORIGIN")
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
  target_link_options(${target} PRIVATE
    "LINKER:--version-script=${map}" LINKER:--exclude-libs,ALL LINKER:-z,defs LINKER:-z,now LINKER:-z,relro)

  foreach(file plugin.toml ${ARG_DATA})
    configure_file("${CMAKE_CURRENT_SOURCE_DIR}/${file}" "${output}/${folder}/${file}" COPYONLY)
  endforeach()
  if(FASTVIDEO_PLUGIN_INSTALL_DIR)
    install(TARGETS ${target} LIBRARY DESTINATION "${FASTVIDEO_PLUGIN_INSTALL_DIR}/${folder}" COMPONENT runtime)
    install(FILES plugin.toml ${ARG_DATA} DESTINATION "${FASTVIDEO_PLUGIN_INSTALL_DIR}/${folder}" COMPONENT runtime)
  endif()
endfunction()
