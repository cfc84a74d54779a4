# SPDX-License-Identifier: MIT
"""What scripts/track is made of."""
