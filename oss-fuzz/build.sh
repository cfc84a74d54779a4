#!/bin/bash
# SPDX-License-Identifier: MIT
# What the service runs to build the fuzz targets, in the image that the Dockerfile beside it makes.
exec python3 "$SRC/tagheap/scripts/oss-fuzz-build"
