/* SPDX-License-Identifier: MIT */
/* What the programs call that `heaplab to-c` writes for subjects other than the heap. They are
 * built with heaplab's sources, and with the plug-in's, if the script is for one. */
#ifndef LAB_EXPORT_REPLAY_H
#define LAB_EXPORT_REPLAY_H

/* Plays the script, which stands in text form, and prints how it fails. Returns the exit status:
 *   1  it fails as `signature` says (docs/workflow.md, "The same way")
 *   0  it passes
 *   2  it fails in another way, or cannot be played
 * The script is played in a child, which may crash; with an argument on the command line, whatever
 * it is, in this process, for debuggers: lab_contract_runner_step plays one operation. */
int lab_replay(int argc, const char *script, const char *signature);

#endif
