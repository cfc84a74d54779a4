/* SPDX-License-Identifier: MIT */
#include "tagheap/status.h"

const char *th_status_name(th_status status) {
    switch (status) {
    case TH_OK:
        return "TH_OK";
    case TH_ERR_NULL:
        return "TH_ERR_NULL";
    case TH_ERR_MISALIGNED:
        return "TH_ERR_MISALIGNED";
    case TH_ERR_TOO_SMALL:
        return "TH_ERR_TOO_SMALL";
    case TH_ERR_TOO_LARGE:
        return "TH_ERR_TOO_LARGE";
    case TH_ERR_ALIGNMENT:
        return "TH_ERR_ALIGNMENT";
    case TH_ERR_CONFIG:
        return "TH_ERR_CONFIG";
    case TH_ERR_LAYOUT:
        return "TH_ERR_LAYOUT";
    case TH_ERR_EXHAUSTED:
        return "TH_ERR_EXHAUSTED";
    case TH_ERR_CORRUPT:
        return "TH_ERR_CORRUPT";
    case TH_ERR_BUSY:
        return "TH_ERR_BUSY";
    case TH_ERR_UNSUPPORTED:
        return "TH_ERR_UNSUPPORTED";
    case TH_ERR_CYCLE:
        return "TH_ERR_CYCLE";
    case TH_ERR_STALE:
        return "TH_ERR_STALE";
    case TH_ERR_PINNED:
        return "TH_ERR_PINNED";
    case TH_ERR_UNKNOWN:
        return "TH_ERR_UNKNOWN";
    }
    return "TH_ERR_?";
}
