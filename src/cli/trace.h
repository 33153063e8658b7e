/* The signal at every step of the reverse process, as recordings: lull synth --trace. */
#ifndef CLI_TRACE_H
#define CLI_TRACE_H

#include "io/audio_file.h"
#include "model/model.h"
#include "vocoder/vocoder.h"

typedef struct trace trace;

/* Collects what `vocoder` does with an utterance of n frames, from before its first push. Whitened
 * signals are coloured by the frames (borrowed until trace_write), so that every step is heard as
 * speech. */
lull_status trace_new(const lull_model *model, lull_vocoder *vocoder, const float *frames, size_t n,
                      trace **t, lull_error *error);

/* Writes FOLDER/step-NN-x.wav (the input of network evaluation NN; the last is what came out),
 * FOLDER/step-NN-x0.wav (the speech that the network believes in there) and FOLDER/steps.json. The
 * folder is made when missing. */
lull_status trace_write(const trace *t, const char *folder, audio_format format, lull_error *error);

/* NULL is allowed. The vocoder must still be there: it forgets the trace. */
void trace_free(trace *t);

#endif
