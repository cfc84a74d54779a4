# SPDX-License-Identifier: MIT
# find_package(tagheap) gives tagheap::tagheap: the shared library, or the static one if
# BUILD_SHARED_LIBS is set and off; and both by name, tagheap::shared and tagheap::static. Paths are
# relative to where this file lies: the whole installation may be moved.
get_filename_component(tagheap_here "${CMAKE_CURRENT_LIST_FILE}" REALPATH)
get_filename_component(tagheap_here "${tagheap_here}" DIRECTORY)
get_filename_component(tagheap_libdir "@libdir@" ABSOLUTE BASE_DIR "${tagheap_here}")
get_filename_component(tagheap_includedir "@includedir@" ABSOLUTE BASE_DIR "${tagheap_here}")

if(NOT TARGET tagheap::shared)
  add_library(tagheap::shared SHARED IMPORTED)
  set_target_properties(tagheap::shared PROPERTIES
    IMPORTED_LOCATION "${tagheap_libdir}/@shared@"
    IMPORTED_SONAME "@soname@"
    INTERFACE_INCLUDE_DIRECTORIES "${tagheap_includedir}")
  add_library(tagheap::static STATIC IMPORTED)
  set_target_properties(tagheap::static PROPERTIES
    IMPORTED_LOCATION "${tagheap_libdir}/libtagheap.a"
    INTERFACE_INCLUDE_DIRECTORIES "${tagheap_includedir}")
  add_library(tagheap::tagheap INTERFACE IMPORTED)
  if(DEFINED BUILD_SHARED_LIBS AND NOT BUILD_SHARED_LIBS)
    set_target_properties(tagheap::tagheap PROPERTIES INTERFACE_LINK_LIBRARIES tagheap::static)
  else()
    set_target_properties(tagheap::tagheap PROPERTIES INTERFACE_LINK_LIBRARIES tagheap::shared)
  endif()
endif()

unset(tagheap_here)
unset(tagheap_libdir)
unset(tagheap_includedir)
