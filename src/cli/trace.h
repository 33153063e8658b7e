/* The signal at every step of the reverse process, to hear and to see: lull synth --trace. */
#ifndef CLI_TRACE_H
#define CLI_TRACE_H

#include "model/model.h"
#include "vocoder/vocoder.h"

typedef struct trace trace;

/* Collects what `vocoder` does with an utterance of n frames, from before its first push. Whitened
 * signals are coloured by the frames (borrowed until trace_write), so that every step is heard as
 * speech. */
lull_status trace_new(const lull_model *model, lull_vocoder *vocoder, const float *frames, size_t n,
                      trace **t, lull_error *error);

/* Writes into `folder` (made when missing) for each step NN a recording and a picture of
 *   step-NN-x        the input of network evaluation NN; the last is what sampling ended with
 *   step-NN-x0       the speech that the network believes in there
 *   step-NN-forward  the end result with the start noise mixed in at that step's levels
 * and of the output (n × hop samples), and index.html, which shows and explains them, and
 * steps.json, which lists them. `title` is the page's. */
lull_status trace_write(const trace *t, const float *output, const char *folder, const char *title,
                        lull_error *error);

/* NULL is allowed. The vocoder must still be there: it forgets the trace. */
void trace_free(trace *t);

#endif
