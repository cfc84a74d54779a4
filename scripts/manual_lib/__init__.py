# SPDX-License-Identifier: MIT
"""The manual pages, made of what the headers and heaplab's own help say."""
