# SPDX-License-Identifier: MIT
"""What all scripts share."""
