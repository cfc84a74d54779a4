# SPDX-License-Identifier: MIT
"""The parts of scripts/report: what a fuzzing run leaves for people to look at."""
