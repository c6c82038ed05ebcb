# fastvideo_read_plugin_toml on manifests as people write them: cmake -DSDK=... -DFOLDER=... -P manifest_cases.cmake
if(READ)
  include("${SDK}/cmake/FastVideoAddPlugin.cmake")
  fastvideo_read_plugin_toml("${READ}" id version)
  message(STATUS "read <${id}> <${version}>")
  return()
endif()

# Reads FILE as a manifest; the output must contain EXPECTED. CMake wraps its messages by the length of the folder's
# path, so runs of white space are compared as one space.
function(expect_of file result expected)
  execute_process(COMMAND "${CMAKE_COMMAND}" "-DSDK=${SDK}" "-DREAD=${file}" -P "${CMAKE_CURRENT_FUNCTION_LIST_FILE}"
    RESULT_VARIABLE code OUTPUT_VARIABLE said ERROR_VARIABLE said)
  string(REGEX REPLACE "[ \n]+" " " said "${said}")
  string(FIND "${said}" "${expected}" place)
  if(NOT code EQUAL result OR place EQUAL -1)
    message(SEND_ERROR "code ${code} instead of ${result}, '${expected}' was expected:\n${said}")
  endif()
endfunction()

# Tests a manifest of TEXT, in which ~ stands for the end of a line.
function(expect text result expected)
  string(REPLACE "~" "\n" text "${text}")
  file(WRITE "${FOLDER}/plugin.toml" "${text}")
  expect_of("${FOLDER}/plugin.toml" "${result}" "${expected}")
endfunction()

expect([=[manifest = 1~id = "org.example.a"~version = "1.0.0-rc.1+b"~[[item]]~]=] 0 "read <org.example.a> <1.0.0-rc.1+b>")
expect([=[version="2" # newest; "1" was before~  id	= "a_b-c"]=] 0 "read <a_b-c> <2>")
expect([=[# id = "commented"~id = "real"~version = "1"~[[item]]~id = "item's"~version = "3"]=] 0 "read <real> <1>")
string(ASCII 13 return)
expect("id = \"dos\"${return}~version = \"1\"${return}~[[item]]${return}~" 0 "read <dos> <1>")

expect([=[id = "a"~[[item]]~version = "1"]=] 1 "no line 'version = \"...\"' before the first [[item]]")
expect([=[version = "1"~identity = "a"]=] 1 "no line 'id = \"...\"' before the first [[item]]")
expect([=[id = "a"~version = 1.0]=] 1 "no line 'version")
expect([=[id = 'a'~version = "1"]=] 1 "no line 'id")
expect([=[id = """~a"""~version = "1"]=] 1 "no line 'id")
expect([=[id = "a\u0062"~version = "1"]=] 1 "no line 'id")
expect([=[id = "a;b"~version = "1"]=] 1 "no line 'id")
expect("" 1 "in double quotes, of letters, digits and . _ + -")
expect_of("${FOLDER}/none.toml" 1 "no such file")
