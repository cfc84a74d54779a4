/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "runner/runner.h"

void lab_failure_signature(lab_property property, const char *detail,
                           char signature[LAB_SIGNATURE_BYTES_MAX]) {
    (void)snprintf(signature, LAB_SIGNATURE_BYTES_MAX, "property=%s detail=%s",
                   lab_property_name(property), detail);
}
