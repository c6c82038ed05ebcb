# find_package(FastVideoSDK): the target fastvideo::sdk (headers only) and fastvideo_add_plugin().
include("${CMAKE_CURRENT_LIST_DIR}/FastVideoSDKTargets.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/FastVideoAddPlugin.cmake")
