# SPDX-License-Identifier: MIT
"""What scripts/coverage is made of."""
