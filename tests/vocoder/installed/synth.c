/* A program outside the project: built against an installed liblull through pkg-config. Synthesizes
 * a second of a steady sound and says how loud it was. */
#include <lull.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    lull_error error;
    lull_model *model = NULL;
    lull_vocoder *vocoder = NULL;
    if (argc != 2) return 2;
    if (lull_model_open(argv[1], &model, &error)) goto fail;
    const lull_model_info *info = lull_model_get_info(model);
    if (lull_vocoder_new(model, NULL, &vocoder, &error)) goto fail;

    size_t frames = (size_t)(info->sample_rate / info->hop), total = 0, produced = 0;
    double power = 0;
    float *frame = malloc((size_t)info->bands * sizeof *frame), samples[1024];
    if (!frame) return 1;
    for (int b = 0; b < info->bands; b++) frame[b] = -4.0f - 0.03f * (float)b;
    for (size_t f = 0; f < frames; f++) {
        size_t accepted = 0;
        while (!accepted)
            if (lull_vocoder_push(vocoder, frame, 1, &accepted, &error)) goto fail;
    }
    lull_vocoder_finish(vocoder);
    while (!lull_vocoder_ended(vocoder)) {
        if (lull_vocoder_pull(vocoder, samples, 1024, &produced, &error)) goto fail;
        for (size_t i = 0; i < produced; i++) power += (double)samples[i] * samples[i];
        total += produced;
    }
    printf("lull %s: %s, %zu samples, level %.4f\n", lull_version(), info->name, total,
           sqrt(power / (double)total));
    int complete = total == frames * (size_t)info->hop;
    free(frame);
    lull_vocoder_free(vocoder);
    lull_model_close(model);
    return complete && power > 0 ? 0 : 1;
fail:
    fprintf(stderr, "%s\n", error.message);
    lull_vocoder_free(vocoder);
    lull_model_close(model);
    return 1;
}
