# SPDX-License-Identifier: MIT
# A request is met by the same major version, before 1.0 by the same minor one (tagheap/version.h),
# and not by an older one; by a machine of the same size of pointers.
set(PACKAGE_VERSION "@version@")
if(PACKAGE_FIND_VERSION_COUNT EQUAL 0)
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
elseif(PACKAGE_FIND_VERSION VERSION_GREATER PACKAGE_VERSION)
  set(PACKAGE_VERSION_COMPATIBLE FALSE)
elseif(NOT PACKAGE_FIND_VERSION_MAJOR EQUAL @major@)
  set(PACKAGE_VERSION_COMPATIBLE FALSE)
elseif(@major@ EQUAL 0 AND PACKAGE_FIND_VERSION_COUNT GREATER 1
       AND NOT PACKAGE_FIND_VERSION_MINOR EQUAL @minor@)
  set(PACKAGE_VERSION_COMPATIBLE FALSE)
else()
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
  if(PACKAGE_FIND_VERSION VERSION_EQUAL PACKAGE_VERSION)
    set(PACKAGE_VERSION_EXACT TRUE)
  endif()
endif()
if(CMAKE_SIZEOF_VOID_P AND NOT CMAKE_SIZEOF_VOID_P EQUAL @pointer_bytes@)
  set(PACKAGE_VERSION "@version@ (@pointer_bits@ bits)")
  set(PACKAGE_VERSION_UNSUITABLE TRUE)
endif()
