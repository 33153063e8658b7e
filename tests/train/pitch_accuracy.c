/* How well a pitch network hears, convention by convention: pitch_accuracy MODEL RECORDING...
 * compares what it says of each recording's mel with the tracker's labels of the recording. Of frames
 * voiced in both: the median difference of F0 in cents, and the share that is more than 20 % off; the
 * share of all frames whose voicing differs; of voiced frames the mean difference of aperiodicity, and
 * its mean with the sign (above 0: said to be noisier). Not a test: docs/experiments.md has its figures. */
#include "base/memory.h"
#include "mel/front_end.h"
#include "model/model.h"
#include "model/pitch_network.h"
#include "pitch/label.h"
#include "recording/audio_file.h"
#include "recording/resample.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { RATE = 24000 };

typedef struct tally {
    double *cents; /* of frames voiced in both */
    size_t both, room, gross, frames, differ, bands;
    double aperiodicity, more;
} tally;

static void fail(const lull_error *error) {
    fprintf(stderr, "%s\n", error->message);
    exit(1);
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void compare(tally *t, const pitch_values *label, const pitch_values *said) {
    const bool voiced = label->voicing >= 0.5f, heard = said->voicing >= 0.5f;
    t->frames++;
    t->differ += voiced != heard;
    if (!voiced) return;
    for (int b = 0; b < PITCH_BANDS; b++) {
        const double difference = (double)said->aperiodicity[b] - label->aperiodicity[b];
        t->aperiodicity += fabs(difference);
        t->more += difference;
    }
    t->bands += PITCH_BANDS;
    if (!heard) return;
    const double ratio = (double)said->f0 / label->f0;
    if (!base_grow((void **)&t->cents, &t->room, t->both + 1, sizeof *t->cents)) exit(1);
    t->cents[t->both++] = fabs(1200 * log2(ratio));
    t->gross += fabs(ratio - 1) > 0.2;
}

static void listen(tally *t, const lull_model *model, const mel_convention *mel, const char *path) {
    lull_error error = {0};
    recording_info info;
    float *own, *samples, *wide, *frames;
    size_t count, n, wide_count, length;
    if (recording_file_read(path, 0, &own, &length, &info, &error)) fail(&error);
    if (recording_resample(own, length, info.rate, mel->sample_rate, &samples, &count, &error) ||
        recording_resample(own, length, info.rate, RATE, &wide, &wide_count, &error) ||
        mel_from_samples(mel, samples, count, &frames, &n, &error))
        fail(&error);
    pitch_values *labels = base_alloc(n, sizeof *labels), *said = base_alloc(n, sizeof *said);
    const double scale = (double)RATE / mel->sample_rate;
    if (!labels || !said) exit(1);
    if (pitch_label(wide, wide_count, RATE, mel_convention_first_centre(mel) * scale,
                    mel->hop * scale, labels, n, &error) ||
        pitch_network_whole(&model->config, model->parameters, mel, frames, n, said, &error))
        fail(&error);
    for (size_t f = 0; f < n; f++) compare(t, &labels[f], &said[f]);
    void *owned[] = {own, samples, wide, frames, labels, said};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) base_free(owned[i]);
}

int main(int argc, char **argv) {
    lull_model *model = NULL;
    lull_error error = {0};
    const char *name;
    if (argc < 3) {
        fprintf(stderr, "usage: pitch_accuracy MODEL RECORDING...\n");
        return 2;
    }
    if (lull_model_open(argv[1], &model, &error)) fail(&error);
    printf("convention             frames  cents  gross %%  voicing %%  aperiodicity  signed\n");
    for (int i = 0; (name = mel_convention_name_at(i, NULL, NULL)) != NULL; i++) {
        mel_convention mel;
        tally t = {0};
        if (mel_convention_named(name, 0, &mel, &error)) fail(&error);
        for (int a = 2; a < argc; a++) listen(&t, model, &mel, argv[a]);
        if (t.both > 0) qsort(t.cents, t.both, sizeof *t.cents, ascending);
        printf("%-20s %8zu  %5.1f  %7.2f  %9.2f  %12.3f  %+6.3f\n", name, t.frames,
               t.both ? t.cents[t.both / 2] : 0, 100.0 * (double)t.gross / (double)t.both,
               100.0 * (double)t.differ / (double)t.frames, t.aperiodicity / (double)t.bands,
               t.more / (double)t.bands);
        fflush(stdout);
        base_free(t.cents);
    }
    lull_model_close(model);
    return 0;
}
