# fastvideo_add_plugin(FOLDER [LIBRARY name] SOURCES files... [LINK targets...] [DATA files...])
#
# Builds one library of the plugin folder FOLDER (target and library are named FOLDER unless LIBRARY says otherwise) and
# puts it, the plugin.toml of the current source directory and DATA beside each other in
# ${FASTVIDEO_PLUGIN_OUTPUT_DIR}/FOLDER (default: plugins/ in the build directory). Call it once for each library. The
# library exports fastvideo_plugin and nothing else, resolves everything when it is opened, shares no inline statics
# with other plugins and carries no path of the machine it was built on. Its sources get the id and version of
# plugin.toml (fastvideo_name_plugin below).
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
  fastvideo_name_plugin(${target})
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

# fastvideo_name_plugin(TARGET)
#
# Gives the sources of TARGET the id and version in the plugin.toml of the current source directory, as the strings
# FASTVIDEO_PLUGIN_ID and FASTVIDEO_PLUGIN_VERSION. For an object library that a plugin is made of; fastvideo_add_plugin
# calls it for its own target.
function(fastvideo_name_plugin target)
  set(manifest "${CMAKE_CURRENT_SOURCE_DIR}/plugin.toml")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${manifest}")
  fastvideo_read_plugin_toml("${manifest}" id version)
  target_compile_definitions(${target} PRIVATE "FASTVIDEO_PLUGIN_ID=\"${id}\"" "FASTVIDEO_PLUGIN_VERSION=\"${version}\"")
endfunction()

# fastvideo_read_plugin_toml(FILE ID VERSION): sets the variables ID and VERSION to the strings of these keys in FILE.
function(fastvideo_read_plugin_toml file id version)
  if(NOT EXISTS "${file}")
    message(FATAL_ERROR "${file}: no such file; it says a plugin's id, version and items (docs/plugin_manifest.md)")
  endif()
  file(READ "${file}" text)
  string(REGEX REPLACE "\n[ \t]*\\[.*" "" text "\n${text}\n")  # keys after the first header are not the plugin's
  foreach(key id version)
    if(NOT "${text}\n" MATCHES "\n[ \t]*${key}[ \t]*=[ \t]*\"([A-Za-z0-9._+-]+)\"[ \t]*(#[^\n]*)?\r?\n")
      message(FATAL_ERROR "${file}: no line '${key} = \"...\"' before the first [[item]]. The build reads ${key} there, for "
                          "FASTVIDEO_PLUGIN: write it on a line of its own, in double quotes, of letters, digits and . _ + -")
    endif()
    set(${${key}} "${CMAKE_MATCH_1}" PARENT_SCOPE)
  endforeach()
endfunction()
