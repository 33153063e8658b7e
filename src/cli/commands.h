/* The commands of the program, in the order in which `lull help` lists them: one line each. To add
 * one: a line here, src/cli/command_NAME.c with `int command_NAME(int argc, char **argv)` (argv[0]
 * is the name; returns the exit code), and its name in meson.build. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#define CLI_COMMANDS(COMMAND)                                                                      \
    COMMAND(synth, "mel spectrograms or recordings to audio files")                                \
    COMMAND(play, "the same, live through the sound card")                                         \
    COMMAND(mel, "a recording to a mel spectrogram")                                               \
    COMMAND(info, "what a model is, its convention, latency and cost")                             \
    COMMAND(train, "train a model on a folder of recordings")                                      \
    COMMAND(eval, "objective scores of synthesized against reference speech")                      \
    COMMAND(plot, "pictures of recordings and mel spectrograms")                                   \
    COMMAND(bench, "speed, latency and memory on this machine")                                    \
    COMMAND(serve, "synthesis over a socket")

/* Weak: a command whose file is not in this build is NULL, and is not listed. */
#define CLI_DECLARE(name, summary) int command_##name(int argc, char **argv) __attribute__((weak));
CLI_COMMANDS(CLI_DECLARE)
#undef CLI_DECLARE

#endif
