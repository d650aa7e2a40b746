# Unity builds (scripts/build --unity, which scripts/demo uses): the files of a folder are compiled together, since most of
# a file's time goes into headers that its neighbours read too. An object then depends on many files, so this is for what
# is built once; whoever works on the code, and what is shipped, compiles single files. What a file has for itself its
# neighbours must not have too: scripts/check_tree.py says where they do.
set(LIHANDOVER_UNITY_FILES 12 CACHE STRING "The most files that are compiled together")

# lihandover_unity(TARGET): once all sources of the target are named
function(lihandover_unity target)
  if(NOT LIHANDOVER_UNITY)
    return()
  endif()
  get_target_property(sources ${target} SOURCES)
  get_target_property(directory ${target} SOURCE_DIR)
  set(folders)
  foreach(source IN LISTS sources)
    cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${directory} NORMALIZE)
    cmake_path(GET source PARENT_PATH folder)
    string(MAKE_C_IDENTIFIER "${folder}" folder)
    list(APPEND folders ${folder})
    list(APPEND files_${folder} ${source})
  endforeach()
  list(REMOVE_DUPLICATES folders)
  foreach(folder IN LISTS folders)
    list(LENGTH files_${folder} count)
    math(EXPR batches "(${count} + ${LIHANDOVER_UNITY_FILES} - 1) / ${LIHANDOVER_UNITY_FILES}")
    set(index 0)
    foreach(file IN LISTS files_${folder})
      math(EXPR batch "${index} * ${batches} / ${count}")
      math(EXPR index "${index} + 1")
      set_source_files_properties(${file} TARGET_DIRECTORY ${target} PROPERTIES UNITY_GROUP ${folder}_${batch})
    endforeach()
  endforeach()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
endfunction()
