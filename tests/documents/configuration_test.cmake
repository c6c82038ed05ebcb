# docs/configuration.md is what the program prints with the plugins of this repository alone.
set(ENV{FASTVIDEO_PLUGIN_PATH} "")
set(ENV{FASTVIDEO_CONFIG} "")
set(ENV{XDG_CONFIG_HOME} "/nowhere")
execute_process(COMMAND "${PROGRAM}" --print-config-reference OUTPUT_VARIABLE printed COMMAND_ERROR_IS_FATAL ANY)
file(READ "${PAGE}" page)
if(NOT printed STREQUAL page)
  message(FATAL_ERROR "docs/configuration.md is generated, and no longer what the program prints: "
                      "build/release/bin/fastvideo --print-config-reference > docs/configuration.md")
endif()
